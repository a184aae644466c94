// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/race_command.h"

#include <cstdio>
#include <string>
#include <string_view>

#include "vigil/tools/command.h"
#include "vigil/tools/options/unknown_command.h"

namespace vigil::tools {
namespace {

constexpr Command kCommands[] = {
    {"cc", "compile or link C as gcc would, for the race runtime", race::run_cc},
    {"cxx", "the same for C++, as g++ would", race::run_cxx},
    {"run", "run a program under many schedules and report what goes wrong", race::run_run},
    {"replay", "run the one schedule that showed a finding", race::run_replay},
    {"show", "print the findings of a record file with names", race::run_show},
    {"minimize", "find the shortest schedule that shows it", race::run_minimize},
};

std::string help() {
  std::string text =
      "Usage: vigil race COMMAND [ARGUMENTS]\n\nFinds data races, deadlocks, lost wake-ups, "
      "livelocks and uses after free in C and C++ programs.\n\nCommands:\n";
  for (const Command& command : kCommands) {
    std::string name(command.name);
    name.resize(10, ' ');
    text.append("  ").append(name).append(command.summary).append("\n");
  }
  return text +
         "\nExample:\n"
         "  vigil race cxx -std=c++20 -O1 service.cc -o service\n"
         "  vigil race run -- ./service\n"
         "\n`vigil race COMMAND --help` says more; docs/race.md is the guide.\n"
         "Exit codes: 0 clean, 1 findings, 2 usage or configuration, 3 internal.\n";
}

}  // namespace

int run_race(std::span<const char* const> arguments) {
  const std::string_view name = arguments.empty() ? "" : arguments.front();
  for (const Command& command : kCommands) {
    if (command.name == name) return command.run(arguments.subspan(1));
  }
  const bool asked = name == "--help" || name == "-h" || name == "help";
  if (!asked && !name.empty()) return unknown_command("vigil race", name, kCommands);
  std::fputs(help().c_str(), asked ? stdout : stderr);
  return asked ? kClean : kUsage;
}

}  // namespace vigil::tools
