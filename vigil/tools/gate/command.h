// SPDX-License-Identifier: Apache-2.0
//
// Runs the wrapped test command: what it prints goes on to the terminal or the CI log at once,
// unchanged and in the same stream, and to the caller's functions.
//
// The command keeps the standard input and the environment. Ctrl-C reaches it as it would without
// the gate; SIGTERM is passed on. Output of processes that outlive the command is not waited for.
//
// Thread safety: one command at a time per process (signal handlers).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/base/result.h"

namespace vigil::tools::gate {

struct CommandResult {
  int exit_code = 0;  // 128 + signal if a signal ended it, as in a shell
  int signal = 0;
};

using OnOutput = std::function<void(std::string_view)>;

// REQUIRES: arguments is not empty. Error: the program cannot be started.
Result<CommandResult> run_command(const std::vector<std::string>& arguments,
                                  const OnOutput& on_stdout, const OnOutput& on_stderr);

}  // namespace vigil::tools::gate
