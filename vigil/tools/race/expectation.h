// SPDX-License-Identifier: Apache-2.0
//
// What `vigil race replay` and `minimize` are told to show again: a seed, a replay file, or the
// first finding of a JSON report.
//
// Thread safety: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "vigil/base/result.h"
#include "vigil/report/report.h"
#include "vigil/tools/race/campaign.h"
#include "vigil/tools/race/race_options.h"

namespace vigil::tools::race {

struct Expectation {
  std::optional<std::string> decisions;
  std::string recipe;
  std::string finding;                 // key; empty: not known
  std::string headline;                // of that finding, for messages
  std::uint64_t scheduling_point = 0;  // where it was found; 0: not known
  std::uint64_t schedule_hash = 0;     // 0: not known

  // The launch that should show it; `options` outlives it.
  [[nodiscard]] Launch launch(const RaceOptions& options) const;

  // Empty if the result is what was expected; otherwise what differs, in one sentence.
  [[nodiscard]] std::string divergence(const ScheduleResult& result) const;
};

// Reads options->file, if one was named, and takes over from it what decides the schedule.
[[nodiscard]] Result<Expectation> read_expectation(RaceOptions* options);

}  // namespace vigil::tools::race
