// SPDX-License-Identifier: Apache-2.0
//
// Command: one subcommand of the program `vigil`. Each lives in a folder of its own under
// vigil/tools/; vigil/apps/vigil_main.cc holds the table of them.
//
// Thread safety: a plain value.
#pragma once

#include <span>
#include <string_view>

namespace vigil::tools {

// Exit codes of every command.
inline constexpr int kClean = 0;
inline constexpr int kFindings = 1;
inline constexpr int kUsage = 2;
inline constexpr int kInternal = 3;

struct Command {
  std::string_view name;
  std::string_view summary;                            // one line of `vigil --help`
  int (*run)(std::span<const char* const> arguments);  // what follows the name
};

}  // namespace vigil::tools
