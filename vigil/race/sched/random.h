// SPDX-License-Identifier: Apache-2.0
//
// The seeded generator behind every choice of the scheduler: splitmix64 (Steele, Lea, Flood: "Fast
// splittable pseudorandom number generators", OOPSLA 2014). Eight bytes of state, every seed is a
// good one.
//
// Thread safety: none.
#pragma once

#include <cstdint>

namespace vigil::race {

class Random {
 public:
  explicit constexpr Random(std::uint64_t seed = 0) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9E37'79B9'7F4A'7C15;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58'476D'1CE4'E5B9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D0'49BB'1331'11EB;
    return mixed ^ (mixed >> 31);
  }

  // Uniform in [0, bound); REQUIRES: bound > 0. The bias of the multiplication is below 2^-32.
  std::uint32_t below(std::uint32_t bound) {
    return static_cast<std::uint32_t>(((next() >> 32) * bound) >> 32);
  }

  // True once in `count` on average; REQUIRES: count > 0.
  bool one_in(std::uint32_t count) { return below(count) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace vigil::race
