// SPDX-License-Identifier: Apache-2.0
#include "vigil/maps/internal/symbol_names.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>

namespace vigil::maps::internal {
namespace {

// The mapped file, or nothing.
std::span<const std::byte> map_file(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  struct stat status = {};
  void* memory = MAP_FAILED;
  if (fstat(file, &status) == 0 && status.st_size > 0) {
    memory =
        mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_PRIVATE, file, 0);
  }
  close(file);
  if (memory == MAP_FAILED) return {};
  return {static_cast<const std::byte*>(memory), static_cast<std::size_t>(status.st_size)};
}

// `count` objects at `offset` of the image, or nothing if they do not lie in it.
template <class T>
std::span<const T> table_in(std::span<const std::byte> image, std::uint64_t offset,
                            std::uint64_t count) {
  if (offset > image.size() || count > (image.size() - offset) / sizeof(T)) return {};
  if (offset % alignof(T) != 0) return {};
  return {reinterpret_cast<const T*>(image.data() + offset), count};
}

std::span<const Elf64_Shdr> sections_of(std::span<const std::byte> image) {
  const auto header = table_in<Elf64_Ehdr>(image, 0, 1);
  if (header.empty() || std::memcmp(header[0].e_ident, ELFMAG, SELFMAG) != 0) return {};
  return table_in<Elf64_Shdr>(image, header[0].e_shoff, header[0].e_shnum);
}

// The mangled name of the function at `offset` by the symbol table of type `type`, or nullptr.
const char* symbol_at(std::span<const std::byte> image, std::uint32_t type, std::uint64_t offset) {
  const auto sections = sections_of(image);
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != type || section.sh_link >= sections.size()) continue;
    const Elf64_Shdr& names_at = sections[section.sh_link];
    const auto names = table_in<char>(image, names_at.sh_offset, names_at.sh_size);
    if (names.empty() || names.back() != '\0') continue;
    const auto symbols =
        table_in<Elf64_Sym>(image, section.sh_offset, section.sh_size / sizeof(Elf64_Sym));
    for (const Elf64_Sym& symbol : symbols) {
      if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_value <= offset &&
          offset - symbol.st_value < symbol.st_size && symbol.st_name < names.size()) {
        return names.data() + symbol.st_name;
      }
    }
  }
  return nullptr;
}

std::string demangled(const char* name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(name, nullptr, nullptr, &status), &std::free);
  return text != nullptr ? without_template_arguments(text.get()) : std::string(name);
}

std::string path_of(const link_map& loaded, const char* name) {
  if (loaded.l_name != nullptr && loaded.l_name[0] != '\0') return loaded.l_name;
  std::string path(4096, '\0');
  const ssize_t size = readlink("/proc/self/exe", path.data(), path.size());
  if (size <= 0) return name;
  path.resize(static_cast<std::size_t>(size));
  return path;
}

}  // namespace

SymbolNames::~SymbolNames() {
  for (const Module& module : modules_) {
    if (module.image.empty()) continue;
    munmap(const_cast<std::byte*>(module.image.data()), module.image.size());
  }
}

const SymbolNames::Module& SymbolNames::module_at(const std::string& path) {
  for (const Module& module : modules_) {
    if (module.path == path) return module;
  }
  return modules_.emplace_back(Module{path, map_file(path)});
}

CodePlace SymbolNames::find(std::uintptr_t address) {
  CodePlace place;
  Dl_info info = {};
  link_map* loaded = nullptr;
  const int found = dladdr1(reinterpret_cast<void*>(address), &info,
                            reinterpret_cast<void**>(&loaded), RTLD_DL_LINKMAP);
  if (found == 0 || loaded == nullptr) return place;
  place.module = path_of(*loaded, info.dli_fname);
  place.offset = address - loaded->l_addr;
  const Module& module = module_at(place.module);
  const char* name = symbol_at(module.image, SHT_SYMTAB, place.offset);
  if (name == nullptr) name = symbol_at(module.image, SHT_DYNSYM, place.offset);
  if (name == nullptr) name = info.dli_sname;
  if (name != nullptr) place.function = demangled(name);
  return place;
}

std::string without_template_arguments(std::string_view name) {
  constexpr std::string_view kOperator = "operator";
  std::string result;
  int depth = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (depth == 0 && name.substr(i).starts_with(kOperator)) {
      // operator<, operator<<, operator-> and the like are names.
      std::size_t end = i + kOperator.size();
      while (end < name.size() &&
             std::string_view("<>=-").find(name[end]) != std::string_view::npos) {
        ++end;
      }
      result += name.substr(i, end - i);
      i = end - 1;
    } else if (name[i] == '<') {
      ++depth;
    } else if (name[i] == '>' && depth > 0) {
      --depth;
    } else if (depth == 0) {
      result += name[i];
    }
  }
  return result;
}

}  // namespace vigil::maps::internal
