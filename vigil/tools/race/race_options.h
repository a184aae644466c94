// SPDX-License-Identifier: Apache-2.0
//
// The options of `vigil race run`, `replay` and `minimize`: one table for all three, from which
// their help is printed, too.
//
// Thread safety: plain values and pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/base/result.h"

namespace vigil::tools::race {

// Which subcommand is being parsed: not every option makes sense for each.
enum class Subcommand : unsigned { kRun = 1, kReplay = 2, kMinimize = 4 };

struct RaceOptions {
  std::string mode = "controlled";
  std::string strategy = "portfolio";
  std::uint64_t seed = 1;
  std::uint64_t schedules = 0;  // 0: the default of the mode
  std::uint64_t jobs = 1;
  std::uint64_t depth = 3;
  std::string points = "sync";
  std::string conflicts;  // with points=conflicts: places to begin with, "4198710,4198760"
  std::string time = "virtual";
  std::uint64_t timeout_s = 60;
  std::uint64_t max_points = 0;  // 0: the runtime's default
  std::vector<std::string> suppressions;
  std::string json;
  std::string events;
  std::string output;
  bool keep_going = false;
  bool lock_order = false;
  bool no_lock_misuse = false;
  bool help = false;

  bool seed_given = false;
  std::string file;                  // what stood before the program: a replay file or report
  std::vector<std::string> program;  // what followed "--"

  [[nodiscard]] bool controlled() const { return mode == "controlled"; }
};

[[nodiscard]] Result<RaceOptions> parse_race_options(Subcommand subcommand,
                                                     std::span<const char* const> arguments);

// The lines of the help that list the options.
[[nodiscard]] std::string race_options_help(Subcommand subcommand);

}  // namespace vigil::tools::race
