// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/symbolize/debug_info.h"

#include <dwarf.h>

#include <algorithm>

#include "vigil/tools/symbolize/type_info.h"

namespace vigil::tools {

namespace {

constexpr int kDepthMax = 64;  // of entries inside entries; compilers stay below 20

// Calls visit(begin, end) for each range of code; what the linker dropped starts at 0.
template <class Visitor>
void for_each_range(Dwarf_Die* die, Visitor visit) {
  Dwarf_Addr base = 0;
  Dwarf_Addr begin = 0;
  Dwarf_Addr end = 0;
  for (std::ptrdiff_t offset = 0; (offset = dwarf_ranges(die, offset, &base, &begin, &end)) > 0;) {
    if (begin != 0 && begin < end) visit(begin, end);
  }
}

template <class Range>
void sort_by_begin(std::vector<Range>* ranges) {
  std::sort(ranges->begin(), ranges->end(),
            [](const Range& a, const Range& b) { return a.begin < b.begin; });
}

template <class Range>
const Range* range_holding(const std::vector<Range>& ranges, std::uint64_t address) {
  auto after =
      std::upper_bound(ranges.begin(), ranges.end(), address,
                       [](std::uint64_t value, const Range& r) { return value < r.begin; });
  if (after == ranges.begin()) return nullptr;
  --after;
  return address < after->end ? &*after : nullptr;
}

// The inlined call directly inside `parent`, or inside its blocks, whose code is at `pc`.
bool inlined_call_at(Dwarf_Die* parent, Dwarf_Addr pc, int depth, Dwarf_Die* found) {
  Dwarf_Die child;
  if (depth > kDepthMax || dwarf_child(parent, &child) != 0) return false;
  do {
    const int tag = dwarf_tag(&child);
    const bool is_inlined = tag == DW_TAG_inlined_subroutine;
    if (!is_inlined && tag != DW_TAG_lexical_block && tag != DW_TAG_try_block &&
        tag != DW_TAG_catch_block) {
      continue;
    }
    if (dwarf_haspc(&child, pc) <= 0) continue;
    if (is_inlined) {
      *found = child;
      return true;
    }
    if (inlined_call_at(&child, pc, depth + 1, found)) return true;
  } while (dwarf_siblingof(&child, &child) == 0);
  return false;
}

int number_of(Dwarf_Die* die, unsigned attribute) {
  Dwarf_Attribute value;
  Dwarf_Word number = 0;
  if (dwarf_attr(die, attribute, &value) == nullptr) return 0;
  return dwarf_formudata(&value, &number) == 0 ? static_cast<int>(number) : 0;
}

// The fixed address of a variable, if it has one.
std::optional<Dwarf_Addr> static_address(Dwarf_Die* variable) {
  Dwarf_Attribute place;
  Dwarf_Op* operations = nullptr;
  std::size_t count = 0;
  if (dwarf_attr(variable, DW_AT_location, &place) == nullptr) return std::nullopt;
  if (dwarf_getlocation(&place, &operations, &count) != 0 || count != 1) return std::nullopt;
  if (operations[0].atom == DW_OP_addr) return operations[0].number;
  if (operations[0].atom != DW_OP_addrx) return std::nullopt;
  Dwarf_Attribute address_attribute;
  Dwarf_Addr address = 0;
  if (dwarf_getlocation_attr(&place, &operations[0], &address_attribute) != 0 ||
      dwarf_formaddr(&address_attribute, &address) != 0) {
    return std::nullopt;
  }
  return address;
}

}  // namespace

DebugInfo::DebugInfo(Dwfl_Module* module) {
  Dwarf_Addr bias = 0;
  Dwarf* dwarf = dwfl_module_getdwarf(module, &bias);
  if (dwarf == nullptr) return;
  bias_ = bias;
  Dwarf_CU* unit = nullptr;
  std::uint8_t type = 0;
  Dwarf_Die root;
  Dwarf_Die split_root;
  while (dwarf_get_units(dwarf, unit, &unit, nullptr, &type, &root, &split_root) == 0) {
    if (type == DW_UT_type || type == DW_UT_split_type) continue;
    if (type == DW_UT_skeleton && dwarf_tag(&split_root) == DW_TAG_compile_unit) {
      add_unit(split_root);
    } else if (dwarf_tag(&root) == DW_TAG_compile_unit) {
      add_unit(root);
    }
  }
  sort_by_begin(&unit_ranges_);
}

void DebugInfo::add_unit(Dwarf_Die root) {
  const std::size_t number = units_.size();
  for_each_range(&root, [&](Dwarf_Addr begin, Dwarf_Addr end) {
    unit_ranges_.push_back({begin, end, number});
  });
  units_.push_back({root, false, {}});
}

DebugInfo::Unit* DebugInfo::unit_of(Dwarf_Addr address) {
  const UnitRange* range = range_holding(unit_ranges_, address);
  if (range == nullptr) return nullptr;
  Unit* unit = &units_[range->unit];
  if (!unit->is_indexed) {
    unit->is_indexed = true;
    index_functions(unit->root, 0, &unit->functions);
    sort_by_begin(&unit->functions);
  }
  return unit;
}

void DebugInfo::index_functions(Dwarf_Die parent, int depth, std::vector<FunctionRange>* out) {
  Dwarf_Die child;
  if (depth > kDepthMax || dwarf_child(&parent, &child) != 0) return;
  do {
    switch (dwarf_tag(&child)) {
      case DW_TAG_subprogram:
        for_each_range(&child, [&](Dwarf_Addr begin, Dwarf_Addr end) {
          out->push_back({begin, end, child});
        });
        [[fallthrough]];  // local classes and lambdas have functions too
      case DW_TAG_namespace:
      case DW_TAG_class_type:
      case DW_TAG_structure_type:
      case DW_TAG_union_type:
      case DW_TAG_lexical_block:
      case DW_TAG_module:
        if (dwarf_haschildren(&child) > 0) index_functions(child, depth + 1, out);
        break;
      default:
        break;
    }
  } while (dwarf_siblingof(&child, &child) == 0);
}

std::vector<Dwarf_Die> DebugInfo::scopes_at(std::uint64_t pc) {
  const Dwarf_Addr address = pc - bias_;
  std::vector<Dwarf_Die> scopes;
  Unit* unit = unit_of(address);
  if (unit == nullptr) return scopes;
  const FunctionRange* range = range_holding(unit->functions, address);
  if (range == nullptr) return scopes;
  scopes.push_back(range->function);
  for (int i = 0; i < kDepthMax; ++i) {
    Dwarf_Die inlined;
    if (!inlined_call_at(&scopes.back(), address, 0, &inlined)) break;
    scopes.push_back(inlined);
  }
  std::reverse(scopes.begin(), scopes.end());
  return scopes;
}

SourcePlace DebugInfo::line_at(std::uint64_t pc) {
  SourcePlace place;
  const UnitRange* range = range_holding(unit_ranges_, pc - bias_);
  if (range == nullptr) return place;
  Dwarf_Line* line = dwarf_getsrc_die(&units_[range->unit].root, pc - bias_);
  if (line == nullptr) return place;
  const char* file = dwarf_linesrc(line, nullptr, nullptr);
  if (file != nullptr) place.file = file;
  dwarf_lineno(line, &place.line);
  dwarf_linecol(line, &place.column);
  return place;
}

SourcePlace DebugInfo::call_place(Dwarf_Die* inlined) {
  SourcePlace place;
  Dwarf_Die unit;
  Dwarf_Files* files = nullptr;
  if (dwarf_diecu(inlined, &unit, nullptr, nullptr) != nullptr &&
      dwarf_getsrcfiles(&unit, &files, nullptr) == 0) {
    const auto index = static_cast<std::size_t>(number_of(inlined, DW_AT_call_file));
    const char* file = dwarf_filesrc(files, index, nullptr, nullptr);
    if (file != nullptr) place.file = file;
  }
  place.line = number_of(inlined, DW_AT_call_line);
  place.column = number_of(inlined, DW_AT_call_column);
  return place;
}

const Variable* DebugInfo::variable_at(std::uint64_t address) {
  if (!variables_indexed_) {
    variables_indexed_ = true;
    for (const Unit& unit : units_) index_variables(unit.root, 0);
    sort_by_begin(&variables_);
  }
  return range_holding(variables_, address);
}

void DebugInfo::index_variables(Dwarf_Die parent, int depth) {
  Dwarf_Die child;
  if (depth > kDepthMax || dwarf_child(&parent, &child) != 0) return;
  do {
    const int tag = dwarf_tag(&child);
    // Static variables of functions stand in the function and its blocks.
    if (tag == DW_TAG_namespace || tag == DW_TAG_subprogram || tag == DW_TAG_lexical_block) {
      index_variables(child, depth + 1);
      continue;
    }
    if (tag != DW_TAG_variable) continue;
    const std::optional<Dwarf_Addr> address = static_address(&child);
    if (!address || *address == 0) continue;
    std::optional<Dwarf_Die> type = type_of(&child);
    Dwarf_Word size = 0;
    if (!type || dwarf_aggregate_size(&*type, &size) != 0 || size == 0) continue;
    variables_.push_back({*address + bias_, *address + bias_ + size, child});
  } while (dwarf_siblingof(&child, &child) == 0);
}

}  // namespace vigil::tools
