// SPDX-License-Identifier: Apache-2.0
//
// test_seed(): the seed of a randomised test. Prints it; VIGIL_SEED=n in the environment replays a
// run (the interleaving of threads is not part of it).
//
// Thread safety: pure but for the output.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "vigil/base/random.h"

namespace vigil::testing {

[[nodiscard]] inline std::uint64_t test_seed() {
  const char* given = std::getenv("VIGIL_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 0) : random_seed();
  std::printf("seed %llu (VIGIL_SEED=%llu replays it)\n", static_cast<unsigned long long>(seed),
              static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace vigil::testing
