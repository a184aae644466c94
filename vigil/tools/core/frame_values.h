// SPDX-License-Identifier: Apache-2.0
//
// FrameValues: what a pointer variable (`this`, a reference parameter) held in a frame, computed
// from its DWARF location.
//
// A value that the compiler did not keep is often known to the caller: DW_OP_entry_value asks the
// caller's call site for what it passed. That is followed through as many callers as needed, if the
// call site names the same function (a tail call in between would pass something else).
//
// Thread safety: none.
#pragma once

#include <elfutils/libdw.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "vigil/tools/core/unwound_stack.h"
#include "vigil/tools/symbolize/symbolizer.h"

namespace vigil::tools {

// Reads the eight bytes at an address of the target.
using MemoryReader = std::function<std::optional<std::uint64_t>(std::uint64_t address)>;

class FrameValues {
 public:
  // The arguments outlive the object.
  FrameValues(Symbolizer* symbolizer, const UnwoundStack* stack, const MemoryReader* memory)
      : symbolizer_(*symbolizer), stack_(*stack), memory_(*memory) {}

  // The value of a pointer-sized variable, declared in or around the code of `frame`.
  std::optional<std::uint64_t> value_of(Dwarf_Die variable, std::size_t frame);

 private:
  struct Expression {
    Dwarf_Attribute attribute;
    Dwarf_Op* operations = nullptr;
    std::size_t count = 0;
  };
  class Machine;

  std::optional<std::uint64_t> evaluate(const Expression& expression, std::size_t frame, int depth);
  std::optional<std::uint64_t> entry_value(Dwarf_Attribute attribute, const Dwarf_Op& operation,
                                           std::size_t frame, int depth);
  std::optional<std::uint64_t> frame_base(std::size_t frame, int depth);

  Symbolizer& symbolizer_;
  const UnwoundStack& stack_;
  const MemoryReader& memory_;
};

}  // namespace vigil::tools
