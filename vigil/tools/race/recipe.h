// SPDX-License-Identifier: Apache-2.0
//
// A schedule in the source's own lines, for people:
//
//   T1 runs to cache.cc:45; T2 runs to clean.cc:33; data race
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vigil/report/report.h"

namespace vigil::tools::race {

// One decision that the plain policy (each thread runs as long as it can) would not have made.
struct RecipeDecision {
  enum class Kind : std::uint8_t { kRun, kClock, kChoice };
  Kind kind = Kind::kRun;
  std::int64_t from = 0;   // the thread that stood here
  report::Stack stood_at;  // empty: at its start or its end
  std::int64_t to = 0;     // the thread that went on, or the number of the choice
};

// The steps in their order, one text each; the last one is what was found.
[[nodiscard]] std::vector<std::string> recipe_steps(const std::vector<RecipeDecision>& decisions,
                                                    const report::Finding& finding);

}  // namespace vigil::tools::race
