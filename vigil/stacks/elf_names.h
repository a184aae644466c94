// SPDX-License-Identifier: Apache-2.0
//
// ElfNames: names for code addresses of this process, from the ELF symbols of its files.
//
// All addresses are named together: each file's symbol table is read once, from its first symbol to
// its last, and every symbol looks up the addresses inside it. So nothing is sorted, copied or
// allocated however large the tables are.
//
// Context: signal. The modules come from /proc/self/maps, because dl_iterate_phdr() takes a lock.
// Complexity: O(symbols * log(addresses)).
// Thread safety: none. Names point into mapped files and live as long as the object.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "vigil/stacks/mapped_memory.h"

namespace vigil::stacks {

struct NamedAddress {
  std::uintptr_t address = 0;
  std::string_view function = {};  // linkage name; empty if no symbol holds the address
  std::uintptr_t function_begin = 0;
  std::string_view module = {};      // path; empty outside all files
  std::uintptr_t module_offset = 0;  // the address as the file's own tables know it
};

class ElfNames {
 public:
  ElfNames();

  // REQUIRES: ascending by address.
  void assign(std::span<NamedAddress> addresses);

 private:
  // One executable mapping of a file, as a line of /proc/self/maps tells.
  struct Mapping {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    std::uintptr_t file_offset = 0;
    std::string_view path;
  };

  static constexpr std::size_t kFilesMax = 256;

  static bool parse_mapping(std::string_view line, Mapping* mapping);
  void assign_in(const Mapping& mapping, std::span<NamedAddress> addresses);
  // Its bytes, as long as this object lives; empty if it cannot be mapped.
  [[nodiscard]] std::string_view map_file(std::string_view path);

  MappedMemory maps_buffer_;
  std::array<MappedMemory, kFilesMax> files_;
  std::size_t file_count_ = 0;
};

}  // namespace vigil::stacks
