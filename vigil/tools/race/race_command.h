// SPDX-License-Identifier: Apache-2.0
//
// `vigil race`: build a program for the race runtime, run it under many schedules, replay one, and
// reduce one to its essence. race_command.cc holds the table of the subcommands.
//
// Thread safety: to be called from main only.
#pragma once

#include <span>

namespace vigil::tools {

int run_race(std::span<const char* const> arguments);

namespace race {

// The subcommands, one file each; the arguments are what follows the name.
int run_cc(std::span<const char* const> arguments);
int run_cxx(std::span<const char* const> arguments);
int run_run(std::span<const char* const> arguments);
int run_replay(std::span<const char* const> arguments);
int run_show(std::span<const char* const> arguments);
int run_minimize(std::span<const char* const> arguments);

}  // namespace race
}  // namespace vigil::tools
