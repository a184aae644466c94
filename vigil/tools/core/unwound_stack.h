// SPDX-License-Identifier: Apache-2.0
//
// The frames of one stopped thread with the registers that each function had.
//
// Thread safety: plain values.
#pragma once

#include <elfutils/libdwfl.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace vigil::tools {

// By DWARF number, those of x86-64: 6 is rbp, 7 is rsp, 16 is the return address.
inline constexpr std::size_t kRegisters = 17;
inline constexpr unsigned kStackPointer = 7;
inline constexpr std::size_t kUnwoundFramesMax = 512;

struct UnwoundFrame {
  std::uint64_t pc = 0;       // the running instruction, or a return address
  std::uint64_t call_pc = 0;  // inside the running or calling instruction
  std::array<std::optional<std::uint64_t>, kRegisters> registers;
};

struct UnwoundStack {
  std::int64_t thread = 0;
  std::vector<UnwoundFrame> frames;  // innermost first
  bool is_cut = false;               // more frames than kUnwoundFramesMax

  // The canonical frame address of a frame: the stack pointer of its caller after the return.
  [[nodiscard]] std::optional<std::uint64_t> frame_address(std::size_t frame) const;
  // Whether the address lies in the part of the stack that is in use.
  [[nodiscard]] bool holds(std::uint64_t address) const;
};

UnwoundStack unwind(Dwfl_Thread* thread);

}  // namespace vigil::tools
