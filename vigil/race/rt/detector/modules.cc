// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/detector/modules.h"

#include <elf.h>
#include <fcntl.h>

#include "vigil/race/rt/raw/copy.h"
#include "vigil/race/rt/raw/memory.h"
#include "vigil/race/rt/raw/syscall.h"

namespace vigil::race {
namespace {

constexpr std::size_t kModules = 4096;

struct State {
  Module* modules;
  std::size_t module_count;
  Module open;        // of which more mappings may follow
  char chunk[kPage];  // of the list of mappings
  char line[kPage];
};
constinit State state = {};

struct Mapping {
  Address begin;
  Address end;
  std::uint64_t offset;
  bool readable;
  const char* path;
};

std::uint64_t take_hex(const char*& text) {
  std::uint64_t number = 0;
  for (;; ++text) {
    const char digit = *text;
    if (digit >= '0' && digit <= '9') {
      number = number * 16 + static_cast<std::uint64_t>(digit - '0');
    } else if (digit >= 'a' && digit <= 'f') {
      number = number * 16 + static_cast<std::uint64_t>(digit - 'a' + 10);
    } else {
      return number;
    }
  }
}

void skip_word(const char*& text) {
  while (*text != 0 && *text != ' ') ++text;
  while (*text == ' ') ++text;
}

// "begin-end rwxp offset device inode   path"
Mapping parse_mapping(const char* line) {
  Mapping mapping{};
  mapping.begin = take_hex(line);
  ++line;
  mapping.end = take_hex(line);
  ++line;
  mapping.readable = *line == 'r';
  skip_word(line);
  mapping.offset = take_hex(line);
  ++line;
  skip_word(line);
  skip_word(line);
  mapping.path = line;
  return mapping;
}

// From the program headers, which lie in the first mapping of an ELF file.
bool read_bias(Address begin, Address* bias) {
  const auto* header = reinterpret_cast<const Elf64_Ehdr*>(begin);
  if (header->e_ident[EI_MAG0] != ELFMAG0 || header->e_ident[EI_MAG1] != ELFMAG1) return false;
  if (header->e_phoff + header->e_phnum * sizeof(Elf64_Phdr) > kPage) return false;
  const auto* segment = reinterpret_cast<const Elf64_Phdr*>(begin + header->e_phoff);
  for (int index = 0; index < header->e_phnum; ++index, ++segment) {
    if (segment->p_type != PT_LOAD) continue;
    *bias = begin - segment->p_vaddr / kPage * kPage;
    return true;
  }
  return false;
}

// The mappings of one file lie together; the first begins the module, the others extend it.
class ModuleFinder {
 public:
  explicit ModuleFinder(void (*added)(const Module& module)) : added_(added) {}

  void take(const Mapping& mapping) {
    if (mapping.path[0] != '/') return;
    if (is_open_ && raw_equal(state.open.path, mapping.path)) {
      state.open.end = mapping.end;
      return;
    }
    finish();
    if (mapping.offset != 0 || !mapping.readable) return;
    if (!read_bias(mapping.begin, &state.open.bias)) return;
    state.open.begin = mapping.begin;
    state.open.end = mapping.end;
    raw_copy_text(state.open.path, mapping.path);
    is_open_ = true;
  }

  void finish() {
    if (!is_open_) return;
    is_open_ = false;
    if (find_module(state.open.begin) != nullptr || state.module_count == kModules) return;
    Module& module = state.modules[state.module_count++];
    raw_move(&module, &state.open, sizeof(module));
    added_(module);
  }

 private:
  void (*added_)(const Module& module);
  bool is_open_ = false;
};

}  // namespace

const Module* find_module(Address address) {
  for (std::size_t index = 0; index < state.module_count; ++index) {
    if (address - state.modules[index].begin <
        state.modules[index].end - state.modules[index].begin) {
      return &state.modules[index];
    }
  }
  return nullptr;
}

void find_new_modules(void (*added)(const Module& module)) {
  if (state.modules == nullptr) state.modules = map_array<Module>(kModules);
  const long file = raw_syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  std::size_t length = 0;
  ModuleFinder finder(added);
  long size = 0;
  while ((size = raw_syscall(SYS_read, file, state.chunk, sizeof(state.chunk))) > 0) {
    for (long index = 0; index < size; ++index) {
      if (state.chunk[index] != '\n') {
        if (length + 1 < sizeof(state.line)) state.line[length++] = state.chunk[index];
        continue;
      }
      state.line[length] = 0;
      finder.take(parse_mapping(state.line));
      length = 0;
    }
  }
  finder.finish();
  raw_syscall(SYS_close, file);
}

void forget_modules() { state.module_count = 0; }

}  // namespace vigil::race
