// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/core/unwound_stack.h"

namespace vigil::tools {

namespace {

int on_frame(Dwfl_Frame* state, void* argument) {
  auto* stack = static_cast<UnwoundStack*>(argument);
  if (stack->frames.size() == kUnwoundFramesMax) {
    stack->is_cut = true;
    return DWARF_CB_ABORT;
  }
  Dwarf_Addr pc = 0;
  bool is_activation = false;
  if (!dwfl_frame_pc(state, &pc, &is_activation) || pc == 0) return DWARF_CB_ABORT;
  UnwoundFrame frame;
  frame.pc = pc;
  frame.call_pc = is_activation ? pc : pc - 1;
  for (unsigned i = 0; i < kRegisters; ++i) {
    Dwarf_Word value = 0;
    if (dwfl_frame_reg(state, i, &value) == 0) frame.registers[i] = value;
  }
  stack->frames.push_back(frame);
  return DWARF_CB_OK;
}

}  // namespace

std::optional<std::uint64_t> UnwoundStack::frame_address(std::size_t frame) const {
  if (frame + 1 >= frames.size()) return std::nullopt;
  return frames[frame + 1].registers[kStackPointer];
}

bool UnwoundStack::holds(std::uint64_t address) const {
  if (frames.empty()) return false;
  const auto innermost = frames.front().registers[kStackPointer];
  const auto outermost = frames.back().registers[kStackPointer];
  return innermost && outermost && address >= *innermost && address < *outermost;
}

UnwoundStack unwind(Dwfl_Thread* thread) {
  UnwoundStack stack;
  stack.thread = dwfl_thread_tid(thread);
  // An error ends the stack where the tables end.
  dwfl_thread_getframes(thread, on_frame, &stack);
  return stack;
}

}  // namespace vigil::tools
