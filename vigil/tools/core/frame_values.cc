// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/core/frame_values.h"

#include <dwarf.h>

#include <string_view>
#include <vector>

namespace vigil::tools {

namespace {

constexpr int kDepthMax = 8;        // callers asked for an entry value
constexpr int kEntryDepthMax = 64;  // of DWARF entries inside entries
constexpr std::size_t kStackMax = 64;

std::string_view linkage_name_of(Dwarf_Die* die) {
  Dwarf_Attribute attribute;
  if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) == nullptr) return {};
  const char* name = dwarf_formstring(&attribute);
  return name == nullptr ? std::string_view() : name;
}

bool is_call_site(int tag) { return tag == DW_TAG_call_site || tag == DW_TAG_GNU_call_site; }

// The entry of the call that returns to `return_pc`, inside a function.
bool call_site_at(Dwarf_Die* parent, Dwarf_Addr return_pc, int depth, Dwarf_Die* found) {
  Dwarf_Die child;
  if (depth > kEntryDepthMax || dwarf_child(parent, &child) != 0) return false;
  do {
    const int tag = dwarf_tag(&child);
    if (is_call_site(tag)) {
      Dwarf_Attribute attribute;
      Dwarf_Addr address = 0;
      const unsigned name = tag == DW_TAG_call_site ? DW_AT_call_return_pc : DW_AT_low_pc;
      if (dwarf_attr(&child, name, &attribute) != nullptr &&
          dwarf_formaddr(&attribute, &address) == 0 && address == return_pc) {
        *found = child;
        return true;
      }
    } else if (tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block) {
      if (call_site_at(&child, return_pc, depth + 1, found)) return true;
    }
  } while (dwarf_siblingof(&child, &child) == 0);
  return false;
}

// Whether the call site may call `function`: it names it, or it does not say whom it calls.
bool may_call(Dwarf_Die* call_site, Dwarf_Die* function) {
  Dwarf_Attribute attribute;
  Dwarf_Die origin;
  const unsigned name =
      dwarf_tag(call_site) == DW_TAG_call_site ? DW_AT_call_origin : DW_AT_abstract_origin;
  if (dwarf_attr(call_site, name, &attribute) == nullptr ||
      dwarf_formref_die(&attribute, &origin) == nullptr) {
    return true;
  }
  const std::string_view called = linkage_name_of(&origin);
  const std::string_view own = linkage_name_of(function);
  return called.empty() || own.empty() || called == own;
}

std::optional<unsigned> register_of(const Dwarf_Op& operation) {
  if (operation.atom >= DW_OP_reg0 && operation.atom <= DW_OP_reg31) {
    return operation.atom - DW_OP_reg0;
  }
  if (operation.atom == DW_OP_regx) return static_cast<unsigned>(operation.number);
  return std::nullopt;
}

// The value that the caller passed in a register, as its call site describes it.
bool passed_value(Dwarf_Die* call_site, unsigned wanted, Dwarf_Attribute* value) {
  Dwarf_Die parameter;
  if (dwarf_child(call_site, &parameter) != 0) return false;
  do {
    Dwarf_Attribute location;
    Dwarf_Op* operations = nullptr;
    std::size_t count = 0;
    if (dwarf_attr(&parameter, DW_AT_location, &location) == nullptr ||
        dwarf_getlocation(&location, &operations, &count) != 0 || count != 1 ||
        register_of(operations[0]) != wanted) {
      continue;
    }
    return dwarf_attr(&parameter, DW_AT_call_value, value) != nullptr ||
           dwarf_attr(&parameter, DW_AT_GNU_call_site_value, value) != nullptr;
  } while (dwarf_siblingof(&parameter, &parameter) == 0);
  return false;
}

}  // namespace

// The stack machine of DWARF expressions, as far as pointers need it.
class FrameValues::Machine {
 public:
  Machine(FrameValues* values, const Expression& expression, std::size_t frame, int depth)
      : values_(*values), expression_(expression), frame_(frame), depth_(depth) {}

  // The value described, or read from the place described.
  std::optional<std::uint64_t> run(bool is_value) {
    is_value_ = is_value;
    for (std::size_t i = 0; i < expression_.count; ++i) {
      if (!step(expression_.operations[i]) || stack_.size() > kStackMax) return std::nullopt;
    }
    if (stack_.empty()) return std::nullopt;
    return is_value_ ? std::optional(stack_.back()) : values_.memory_(stack_.back());
  }

 private:
  bool step(const Dwarf_Op& operation) {
    const unsigned atom = operation.atom;
    if (const std::optional<unsigned> number = register_of(operation)) {
      is_value_ = true;
      return push(register_value(*number));
    }
    if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31) {
      return push_sum(register_value(atom - DW_OP_breg0), operation.number);
    }
    if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31) return push(atom - DW_OP_lit0);
    switch (atom) {
      case DW_OP_bregx:
        return push_sum(register_value(static_cast<unsigned>(operation.number)), operation.number2);
      case DW_OP_fbreg:
        return push_sum(values_.frame_base(frame_, depth_ + 1), operation.number);
      case DW_OP_call_frame_cfa:
        return push(values_.stack_.frame_address(frame_));
      case DW_OP_addr:
        return push_sum(bias(), operation.number);
      case DW_OP_const1u:
      case DW_OP_const1s:
      case DW_OP_const2u:
      case DW_OP_const2s:
      case DW_OP_const4u:
      case DW_OP_const4s:
      case DW_OP_const8u:
      case DW_OP_const8s:
      case DW_OP_constu:
      case DW_OP_consts:
        return push(operation.number);
      case DW_OP_stack_value:
        is_value_ = true;
        return !stack_.empty();
      case DW_OP_entry_value:
      case DW_OP_GNU_entry_value:
        return push(values_.entry_value(expression_.attribute, operation, frame_, depth_ + 1));
      case DW_OP_addrx:
        return push(indexed_address(operation));
      default:
        return change_top(operation);
    }
  }

  bool change_top(const Dwarf_Op& operation) {
    if (stack_.empty()) return false;
    std::uint64_t& top = stack_.back();
    switch (operation.atom) {
      case DW_OP_plus_uconst:
        top += operation.number;
        return true;
      case DW_OP_deref: {
        const std::optional<std::uint64_t> value = values_.memory_(top);
        top = value.value_or(0);
        return value.has_value();
      }
      case DW_OP_dup: {
        const std::uint64_t copy = top;
        return push(copy);
      }
      case DW_OP_nop:
        return true;
      default:
        return combine(operation.atom);
    }
  }

  bool combine(unsigned atom) {
    if (stack_.size() < 2) return false;
    const std::uint64_t right = stack_.back();
    stack_.pop_back();
    std::uint64_t& left = stack_.back();
    switch (atom) {
      case DW_OP_plus:
        left += right;
        return true;
      case DW_OP_minus:
        left -= right;
        return true;
      case DW_OP_mul:
        left *= right;
        return true;
      case DW_OP_and:
        left &= right;
        return true;
      case DW_OP_shl:
        left = right < 64 ? left << right : 0;
        return true;
      default:
        return false;
    }
  }

  bool push(std::optional<std::uint64_t> value) {
    if (value) stack_.push_back(*value);
    return value.has_value();
  }
  bool push_sum(std::optional<std::uint64_t> base, std::uint64_t offset) {
    return base && push(*base + offset);
  }

  [[nodiscard]] std::optional<std::uint64_t> register_value(unsigned number) const {
    if (number >= kRegisters) return std::nullopt;
    return values_.stack_.frames[frame_].registers[number];
  }

  [[nodiscard]] std::optional<std::uint64_t> bias() const {
    DebugInfo* info = values_.symbolizer_.debug_info_at(values_.stack_.frames[frame_].call_pc);
    return info == nullptr ? std::nullopt : std::optional(info->bias());
  }

  std::optional<std::uint64_t> indexed_address(const Dwarf_Op& operation) {
    Dwarf_Attribute attribute = expression_.attribute;
    Dwarf_Attribute result;
    Dwarf_Addr address = 0;
    const std::optional<std::uint64_t> base = bias();
    if (!base || dwarf_getlocation_attr(&attribute, &operation, &result) != 0 ||
        dwarf_formaddr(&result, &address) != 0) {
      return std::nullopt;
    }
    return *base + address;
  }

  FrameValues& values_;
  const Expression& expression_;
  const std::size_t frame_;
  const int depth_;
  bool is_value_ = false;
  std::vector<std::uint64_t> stack_;
};

std::optional<std::uint64_t> FrameValues::value_of(Dwarf_Die variable, std::size_t frame) {
  const UnwoundFrame& place = stack_.frames[frame];
  DebugInfo* info = symbolizer_.debug_info_at(place.call_pc);
  Expression expression;
  if (info == nullptr ||
      dwarf_attr_integrate(&variable, DW_AT_location, &expression.attribute) == nullptr ||
      dwarf_getlocation_addr(&expression.attribute, place.call_pc - info->bias(),
                             &expression.operations, &expression.count, 1) != 1) {
    return std::nullopt;
  }
  return Machine(this, expression, frame, 0).run(false);
}

std::optional<std::uint64_t> FrameValues::frame_base(std::size_t frame, int depth) {
  const std::uint64_t pc = stack_.frames[frame].call_pc;
  DebugInfo* info = symbolizer_.debug_info_at(pc);
  if (info == nullptr || depth > kDepthMax) return std::nullopt;
  std::vector<Dwarf_Die> scopes = info->scopes_at(pc);
  Expression expression;
  if (scopes.empty() ||
      dwarf_attr_integrate(&scopes.back(), DW_AT_frame_base, &expression.attribute) == nullptr ||
      dwarf_getlocation_addr(&expression.attribute, pc - info->bias(), &expression.operations,
                             &expression.count, 1) != 1) {
    return std::nullopt;
  }
  return Machine(this, expression, frame, depth).run(true);
}

std::optional<std::uint64_t> FrameValues::evaluate(const Expression& expression, std::size_t frame,
                                                   int depth) {
  if (depth > kDepthMax) return std::nullopt;
  return Machine(this, expression, frame, depth).run(true);
}

std::optional<std::uint64_t> FrameValues::entry_value(Dwarf_Attribute attribute,
                                                      const Dwarf_Op& operation, std::size_t frame,
                                                      int depth) {
  Expression inner;
  if (depth > kDepthMax || frame + 1 >= stack_.frames.size() ||
      dwarf_getlocation_attr(&attribute, &operation, &inner.attribute) != 0 ||
      dwarf_getlocation(&inner.attribute, &inner.operations, &inner.count) != 0 ||
      inner.count != 1) {
    return std::nullopt;
  }
  const std::optional<unsigned> wanted = register_of(inner.operations[0]);
  const UnwoundFrame& caller = stack_.frames[frame + 1];
  DebugInfo* info = symbolizer_.debug_info_at(caller.call_pc);
  DebugInfo* own_info = symbolizer_.debug_info_at(stack_.frames[frame].call_pc);
  if (!wanted || info == nullptr || own_info == nullptr) return std::nullopt;
  std::vector<Dwarf_Die> scopes = info->scopes_at(caller.call_pc);
  std::vector<Dwarf_Die> own_scopes = own_info->scopes_at(stack_.frames[frame].call_pc);
  Dwarf_Die call_site;
  Expression passed;
  if (scopes.empty() || own_scopes.empty() ||
      !call_site_at(&scopes.back(), caller.pc - info->bias(), 0, &call_site) ||
      !may_call(&call_site, &own_scopes.back()) ||
      !passed_value(&call_site, *wanted, &passed.attribute) ||
      dwarf_getlocation(&passed.attribute, &passed.operations, &passed.count) != 0) {
    return std::nullopt;
  }
  return evaluate(passed, frame + 1, depth);
}

}  // namespace vigil::tools
