// SPDX-License-Identifier: Apache-2.0
//
// The program `vigil`: a table of commands.
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <string_view>

#include "vigil/base/version.h"
#include "vigil/tools/advise/advise_command.h"
#include "vigil/tools/bench/bench_command.h"
#include "vigil/tools/command.h"
#include "vigil/tools/gate/gate_command.h"
#include "vigil/tools/layers/layers_command.h"
#include "vigil/tools/log/log_command.h"
#include "vigil/tools/race/race_command.h"
#include "vigil/tools/triage/triage_command.h"

namespace {

using vigil::tools::Command;

int print_version(std::span<const char* const>) {
  const std::string_view version = vigil::version();
  std::printf("vigil %.*s\n", static_cast<int>(version.size()), version.data());
  return vigil::tools::kClean;
}

constexpr Command kCommands[] = {
    {"advise", "measure your mix of operations and recommend a map", vigil::tools::run_advise},
    {"bench", "measure the maps and the server against their peers here", vigil::tools::run_bench},
    {"gate", "decide by a policy whether a change may pass a stage of the pipeline",
     vigil::tools::run_gate},
    {"layers", "print and check the rules that attribute stacks to layers",
     vigil::tools::run_layers},
    {"log", "dump, check and repair a data directory of vigild", vigil::tools::run_log},
    {"race", "find data races, deadlocks and their like under seeded schedules",
     vigil::tools::run_race},
    {"triage", "say who collided with whom on which map, from a log, dump or core",
     vigil::tools::run_triage},
    {"version", "print the version", print_version},
};

std::string help() {
  std::string text = "Usage: vigil COMMAND [ARGUMENTS]\n\nCommands:\n";
  for (const Command& command : kCommands) {
    std::string name(command.name);
    name.resize(10, ' ');
    text.append("  ").append(name).append(command.summary).append("\n");
  }
  return text +
         "\n`vigil COMMAND --help` says more. The server is a program of its own: vigild.\n\n"
         "Example:\n  vigil bench server --quick\n\n"
         "Exit codes: 0 clean, 1 findings, 2 usage or configuration, 3 internal.\n";
}

int run(std::span<const char* const> arguments) {
  const std::string_view name = arguments.empty() ? "" : arguments.front();
  if (name == "--version") return print_version({});
  for (const Command& command : kCommands) {
    if (command.name == name) return command.run(arguments.subspan(1));
  }
  if (name == "--help" || name == "-h" || name == "help") {
    std::fputs(help().c_str(), stdout);
    return vigil::tools::kClean;
  }
  if (!name.empty()) std::fprintf(stderr, "vigil: unknown command \"%s\"\n\n", arguments.front());
  std::fputs(help().c_str(), stderr);
  return vigil::tools::kUsage;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "vigil: internal error: %s\n", error.what());
    return vigil::tools::kInternal;
  }
}
