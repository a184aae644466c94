// SPDX-License-Identifier: Apache-2.0
//
// DebugInfo: what one module's DWARF says about code and data addresses.
//
// libdw finds the unit of an address through .debug_aranges, which clang does not write, and the
// functions around an address by walking the unit from its start each time. DebugInfo reads the
// ranges of all units once, those of a unit's functions when the first address in it is asked for,
// and then looks inside one function only.
//
// Addresses are those of the process (the module's bias is added and taken away here).
// Complexity: construction O(units); the first lookup in a unit O(its entries), then O(log n).
// Thread safety: none; the module must outlive the object.
#pragma once

#include <elfutils/libdwfl.h>

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace vigil::tools {

// A place in a source file.
struct SourcePlace {
  std::string file;
  int line = 0;
  int column = 0;
};

// A global variable.
struct Variable {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  Dwarf_Die die;
};

class DebugInfo {
 public:
  explicit DebugInfo(Dwfl_Module* module);

  [[nodiscard]] bool is_missing() const { return units_.empty(); }
  // The difference between addresses in memory and in the DWARF data.
  [[nodiscard]] std::uint64_t bias() const { return bias_; }

  // The functions whose code is at `pc`, innermost first: inlined ones, then the function itself.
  // Empty without debug information there.
  std::vector<Dwarf_Die> scopes_at(std::uint64_t pc);

  SourcePlace line_at(std::uint64_t pc);

  // Where the call of an inlined function stands.
  static SourcePlace call_place(Dwarf_Die* inlined);

  // The first call reads the variables of all units.
  const Variable* variable_at(std::uint64_t address);

 private:
  struct UnitRange {
    Dwarf_Addr begin = 0;
    Dwarf_Addr end = 0;
    std::size_t unit = 0;
  };
  struct FunctionRange {
    Dwarf_Addr begin = 0;
    Dwarf_Addr end = 0;
    Dwarf_Die function;
  };
  struct Unit {
    Dwarf_Die root;
    bool is_indexed = false;
    std::vector<FunctionRange> functions;  // ascending
  };

  void add_unit(Dwarf_Die root);
  Unit* unit_of(Dwarf_Addr address);
  static void index_functions(Dwarf_Die parent, int depth, std::vector<FunctionRange>* out);
  void index_variables(Dwarf_Die parent, int depth);

  std::uint64_t bias_ = 0;
  std::vector<Unit> units_;
  std::vector<UnitRange> unit_ranges_;  // ascending
  bool variables_indexed_ = false;
  std::vector<Variable> variables_;  // ascending
};

}  // namespace vigil::tools
