// SPDX-License-Identifier: Apache-2.0
//
// SymbolTable: the functions and objects that one module's ELF symbol tables name, by address.
//
// Use when: the debug information is missing (stripped libraries), or a data address needs a name.
// libdwfl's own lookup scans the whole table for every address; this one sorts it once.
//
// Complexity: construction O(n log n), a lookup O(log n); 32 bytes a symbol.
// Thread safety: none; the module must outlive the table.
#pragma once

#include <elfutils/libdwfl.h>

#include <cstdint>
#include <vector>

namespace vigil::tools {

struct Symbol {
  std::uint64_t begin = 0;  // as the process sees it
  std::uint64_t end = 0;
  const char* linkage_name = nullptr;
  int preference = 0;  // among names of one address; less is better
};

class SymbolTable {
 public:
  explicit SymbolTable(Dwfl_Module* module);

  // The symbol whose range holds `address`, or nullptr.
  [[nodiscard]] const Symbol* function_at(std::uint64_t address) const;
  [[nodiscard]] const Symbol* object_at(std::uint64_t address) const;

 private:
  std::vector<Symbol> functions_;  // ascending
  std::vector<Symbol> objects_;
};

}  // namespace vigil::tools
