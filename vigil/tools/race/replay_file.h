// SPDX-License-Identifier: Apache-2.0
//
// A replay file: one schedule with everything that decides it, and what it showed. `vigil race
// minimize` writes it, `vigil race replay` runs it. A text, so that people can read and edit it:
//
//   vigil replay 1
//   # T1 runs to cache.cc:45; T2 runs to clean.cc:33; race
//   seed 7
//   strategy pct
//   depth 3
//   points sync
//   time virtual
//   schedule-hash 1234567890
//   finding race|Cache::put cache.cc:45|Cleaner::run clean.cc:33
//   follow decisions
//   run 1 12 2
//
// After `follow decisions` come decisions as vigil/race/sched/decision_text.h has them; without
// that line the strategy decides. `conflicts` is what the option of that name has.
//
// Thread safety: plain values. Errors: a line that is not understood is named with its number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vigil/base/result.h"
#include "vigil/tools/race/race_options.h"

namespace vigil::tools::race {

struct ReplayFile {
  std::string recipe;  // one or more lines for people
  std::uint64_t seed = 1;
  std::string strategy = "portfolio";
  std::uint64_t depth = 3;
  std::string points = "sync";
  std::string time = "virtual";
  std::uint64_t schedule_hash = 0;       // 0: not known
  std::string finding;                   // key of the expected finding; empty: none is expected
  std::string conflicts;                 // as in RaceOptions
  std::optional<std::string> decisions;  // lines

  // Takes over what decides the schedule.
  void apply_to(RaceOptions* options) const;
};

[[nodiscard]] std::string to_text(const ReplayFile& replay);
[[nodiscard]] Result<ReplayFile> parse_replay_file(std::string_view text, std::string_view name);

// Whether the text starts as a replay file does (a JSON report does not).
[[nodiscard]] bool is_replay_file(std::string_view text);

}  // namespace vigil::tools::race
