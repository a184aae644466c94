// SPDX-License-Identifier: Apache-2.0
//
// Random: a small, fast, seedable generator (SplitMix64, Steele, Lea and Flood, OOPSLA 2014).
//
// Use when: tests, workloads and hash seeds need a replayable sequence. Not for secrets.
// Satisfies UniformRandomBitGenerator. Thread safety: one generator belongs to one thread.
#pragma once

#include <cstdint>

namespace vigil {

class Random {
 public:
  using result_type = std::uint64_t;

  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~result_type{0}; }

  result_type operator()() noexcept {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }

  // Uniform in [0, bound) with a bias below bound / 2^32 (Lemire's multiply-shift).
  // REQUIRES: 0 < bound <= 2^32.
  std::uint64_t below(std::uint64_t bound) noexcept { return ((*this)() >> 32) * bound >> 32; }

  // Uniform in [0, 1).
  double unit() noexcept { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }

 private:
  std::uint64_t state_;
};

// An unpredictable seed from the operating system.
[[nodiscard]] std::uint64_t random_seed();

}  // namespace vigil
