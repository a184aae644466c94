// SPDX-License-Identifier: Apache-2.0
//
// `vigil advise`: measures the user's own mix on this machine and names the map to take.
//
// Thread safety: to be called from main only.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "vigil/base/result.h"
#include "vigil/tools/bench/maps/measure.h"

namespace vigil::tools {

struct Question {
  double reads = 0.9;  // share of operations that read
  std::uint64_t keys = 100'000;
  std::uint32_t threads = 2;
  std::size_t key_bytes = 8;  // 8: numbers, else strings
  bool zipf = false;          // few keys take most operations
};

// What the arguments after `vigil advise` ask; nothing to measure if `help` was filled.
[[nodiscard]] Result<Question> parse_question(std::span<const char* const> arguments,
                                              std::string& help);

// The one cell to measure.
[[nodiscard]] MixPlan plan_for(const Question& question);

// The maps from the fastest down, and why to take the first of vigil's. REQUIRES: results of
// plan_for(), with at least one of vigil's maps.
[[nodiscard]] std::string advice(const MapsResults& results, const Registry& maps);

int run_advise(std::span<const char* const> arguments);

}  // namespace vigil::tools
