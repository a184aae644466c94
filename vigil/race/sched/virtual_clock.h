// SPDX-License-Identifier: Apache-2.0
//
// Virtual time in nanoseconds since the program's start. It moves a little with every scheduling
// point and every look at it, and jumps to deadlines. A task that looks again and again without
// waiting is in a loop that waits for a time to come: its looks cost more and more, up to a
// millisecond each.
//
// Thread safety: none.
#pragma once

#include <cstdint>

namespace vigil::race {

class VirtualClock {
 public:
  static constexpr std::uint64_t kPoint_ns = 100;
  static constexpr std::uint64_t kLook_ns = 50;

  std::uint64_t now_ns() const { return now_ns_; }

  // A look by the program.
  std::uint64_t look() {
    const std::uint32_t doublings = looks_in_a_row_ / kLooksPerDoubling;
    if (doublings < kMostDoublings) ++looks_in_a_row_;
    return now_ns_ += kLook_ns << doublings;
  }
  void point_passed() { now_ns_ += kPoint_ns; }
  // Never backwards. A task waited, so it is no such loop.
  void jump_to(std::uint64_t time_ns) {
    if (time_ns > now_ns_) now_ns_ = time_ns;
    looks_in_a_row_ = 0;
  }

 private:
  static constexpr std::uint32_t kLooksPerDoubling = 256;
  static constexpr std::uint32_t kMostDoublings = 14;

  std::uint64_t now_ns_ = 0;
  std::uint32_t looks_in_a_row_ = 0;
};

}  // namespace vigil::race
