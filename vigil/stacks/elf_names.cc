// SPDX-License-Identifier: Apache-2.0
#include "vigil/stacks/elf_names.h"

#include <elf.h>

#include <algorithm>
#include <charconv>
#include <climits>
#include <cstring>

#include "vigil/stacks/proc_task.h"

namespace vigil::stacks {

namespace {

constexpr std::size_t kMapsBytesMax = std::size_t{4} << 20;

// Bounds-checked views into an ELF file.
class ElfFile {
 public:
  explicit ElfFile(std::string_view bytes) : bytes_(bytes) {}

  [[nodiscard]] bool is_valid() const {
    const Elf64_Ehdr* header = this->header();
    return header != nullptr && std::memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
           header->e_ident[EI_CLASS] == ELFCLASS64;
  }

  [[nodiscard]] std::span<const Elf64_Phdr> segments() const {
    return array<Elf64_Phdr>(header()->e_phoff, header()->e_phnum);
  }
  [[nodiscard]] std::span<const Elf64_Shdr> sections() const {
    return array<Elf64_Shdr>(header()->e_shoff, header()->e_shnum);
  }
  // The full symbol table, or the dynamic one of a stripped file.
  [[nodiscard]] const Elf64_Shdr* symbol_section() const {
    const Elf64_Shdr* dynamic = nullptr;
    for (const Elf64_Shdr& section : sections()) {
      if (section.sh_type == SHT_SYMTAB) return &section;
      if (section.sh_type == SHT_DYNSYM) dynamic = &section;
    }
    return dynamic;
  }
  [[nodiscard]] std::span<const Elf64_Sym> symbols(const Elf64_Shdr& section) const {
    return array<Elf64_Sym>(section.sh_offset, section.sh_size / sizeof(Elf64_Sym));
  }
  [[nodiscard]] std::string_view strings_of(const Elf64_Shdr& section) const {
    const std::span<const Elf64_Shdr> all = sections();
    if (section.sh_link >= all.size()) return {};
    const Elf64_Shdr& strings = all[section.sh_link];
    const std::span<const char> text = array<char>(strings.sh_offset, strings.sh_size);
    return {text.data(), text.size()};
  }

 private:
  [[nodiscard]] const Elf64_Ehdr* header() const {
    return bytes_.size() < sizeof(Elf64_Ehdr) ? nullptr
                                              : reinterpret_cast<const Elf64_Ehdr*>(bytes_.data());
  }
  template <class T>
  [[nodiscard]] std::span<const T> array(std::uint64_t offset, std::uint64_t count) const {
    if (offset > bytes_.size() || offset % alignof(T) != 0) return {};
    if (count > (bytes_.size() - offset) / sizeof(T)) return {};
    return {reinterpret_cast<const T*>(bytes_.data() + offset), count};
  }

  std::string_view bytes_;
};

std::string_view string_at(std::string_view strings, std::size_t offset) {
  if (offset >= strings.size()) return {};
  strings = strings.substr(offset);
  return strings.substr(0, strings.find('\0'));
}

std::span<NamedAddress> part(std::span<NamedAddress> addresses, std::uintptr_t begin,
                             std::uintptr_t end) {
  const auto before = [](const NamedAddress& a, std::uintptr_t value) { return a.address < value; };
  const auto first = std::lower_bound(addresses.begin(), addresses.end(), begin, before);
  const auto last = std::lower_bound(first, addresses.end(), end, before);
  return {first, last};
}

// Address in memory minus address in the file, for the mapping of `file_offset` at `begin`.
std::uintptr_t bias_of(const ElfFile& file, std::uintptr_t begin, std::uintptr_t file_offset) {
  for (const Elf64_Phdr& segment : file.segments()) {
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    constexpr std::uintptr_t kPage = 4096;
    const std::uintptr_t segment_begin = segment.p_offset / kPage * kPage;
    if (file_offset < segment_begin || file_offset >= segment.p_offset + segment.p_filesz) continue;
    return begin - (segment.p_vaddr - segment.p_offset + file_offset);
  }
  return begin - file_offset;
}

void name_from(const ElfFile& file, std::uintptr_t bias, std::span<NamedAddress> addresses) {
  const Elf64_Shdr* section = file.symbol_section();
  if (section == nullptr) return;
  const std::string_view strings = file.strings_of(*section);
  for (const Elf64_Sym& symbol : file.symbols(*section)) {
    if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
    const std::uintptr_t begin = symbol.st_value + bias;
    for (NamedAddress& address : part(addresses, begin, begin + symbol.st_size)) {
      if (begin < address.function_begin) continue;
      const std::string_view name = string_at(strings, symbol.st_name);
      // Of the aliases of one function the shortest is the public one.
      const bool is_alias = begin == address.function_begin && !address.function.empty();
      if (name.empty() || (is_alias && name.size() >= address.function.size())) continue;
      address.function = name;
      address.function_begin = begin;
    }
  }
}

}  // namespace

ElfNames::ElfNames() : maps_buffer_(MappedMemory::zeroed(kMapsBytesMax)) {}

void ElfNames::assign(std::span<NamedAddress> addresses) {
  if (maps_buffer_.data() == nullptr) return;
  std::string_view maps = read_small_file(
      "/proc/self/maps", {static_cast<char*>(maps_buffer_.data()), maps_buffer_.size()});
  while (!maps.empty()) {
    const std::string_view line = maps.substr(0, maps.find('\n'));
    maps.remove_prefix(std::min(line.size() + 1, maps.size()));
    Mapping mapping;
    if (parse_mapping(line, &mapping)) {
      assign_in(mapping, part(addresses, mapping.begin, mapping.end));
    }
  }
}

// "55d0c8a00000-55d0c8a42000 r-xp 00002000 08:01 1234      /usr/bin/app"
bool ElfNames::parse_mapping(std::string_view line, Mapping* mapping) {
  const char* end = line.data() + line.size();
  auto parsed = std::from_chars(line.data(), end, mapping->begin, 16);
  if (parsed.ec != std::errc() || parsed.ptr == end) return false;
  parsed = std::from_chars(parsed.ptr + 1, end, mapping->end, 16);
  if (parsed.ec != std::errc() || end - parsed.ptr < 6 || parsed.ptr[3] != 'x') return false;
  parsed = std::from_chars(parsed.ptr + 6, end, mapping->file_offset, 16);
  const std::size_t path = line.find('/');
  if (parsed.ec != std::errc() || path == std::string_view::npos) return false;
  mapping->path = line.substr(path);
  return true;
}

void ElfNames::assign_in(const Mapping& mapping, std::span<NamedAddress> addresses) {
  if (addresses.empty()) return;
  const ElfFile file(map_file(mapping.path));
  const bool is_valid = file.is_valid();
  const std::uintptr_t bias = is_valid ? bias_of(file, mapping.begin, mapping.file_offset)
                                       : mapping.begin - mapping.file_offset;
  for (NamedAddress& address : addresses) {
    address.module = mapping.path;
    address.module_offset = address.address - bias;
  }
  if (is_valid) name_from(file, bias, addresses);
}

std::string_view ElfNames::map_file(std::string_view path) {
  std::array<char, PATH_MAX> path_text{};
  if (path.size() >= path_text.size() || file_count_ == kFilesMax) return {};
  std::copy(path.begin(), path.end(), path_text.begin());
  MappedMemory& file = files_[file_count_];
  file = MappedMemory::of_file(path_text.data());
  if (file.bytes().empty()) return {};
  ++file_count_;  // names point into it from here on
  return file.bytes();
}

}  // namespace vigil::stacks
