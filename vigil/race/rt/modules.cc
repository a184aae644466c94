// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/modules.h"

#include <elf.h>
#include <fcntl.h>

#include "vigil/race/rt/memory.h"
#include "vigil/race/rt/raw_memory.h"
#include "vigil/race/rt/raw_syscall.h"

namespace vigil::race {
namespace {

constexpr std::size_t kModules = 4096;

Module* modules = nullptr;
std::size_t module_count = 0;

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
    if (is_open_ && raw_equal(open_.path, mapping.path)) {
      open_.end = mapping.end;
      return;
    }
    finish();
    if (mapping.offset != 0 || !mapping.readable) return;
    if (!read_bias(mapping.begin, &open_.bias)) return;
    open_.begin = mapping.begin;
    open_.end = mapping.end;
    raw_copy_text(open_.path, mapping.path);
    is_open_ = true;
  }

  void finish() {
    if (!is_open_) return;
    is_open_ = false;
    if (find_module(open_.begin) != nullptr || module_count == kModules) return;
    Module& module = modules[module_count++];
    raw_move(&module, &open_, sizeof(module));
    added_(module);
  }

 private:
  void (*added_)(const Module& module);
  bool is_open_ = false;
  static Module open_;
};
Module ModuleFinder::open_;

}  // namespace

const Module* find_module(Address address) {
  for (std::size_t index = 0; index < module_count; ++index) {
    if (address - modules[index].begin < modules[index].end - modules[index].begin) {
      return &modules[index];
    }
  }
  return nullptr;
}

void find_new_modules(void (*added)(const Module& module)) {
  if (modules == nullptr) modules = map_array<Module>(kModules);
  const long file = raw_syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  static char chunk[kPage];
  static char line[kPage];
  std::size_t length = 0;
  ModuleFinder finder(added);
  long size = 0;
  while ((size = raw_syscall(SYS_read, file, chunk, sizeof(chunk))) > 0) {
    for (long index = 0; index < size; ++index) {
      if (chunk[index] != '\n') {
        if (length + 1 < sizeof(line)) line[length++] = chunk[index];
        continue;
      }
      line[length] = 0;
      finder.take(parse_mapping(line));
      length = 0;
    }
  }
  finder.finish();
  raw_syscall(SYS_close, file);
}

void forget_modules() { module_count = 0; }

}  // namespace vigil::race
