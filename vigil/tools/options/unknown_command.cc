// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/options/unknown_command.h"

#include <cstdio>

#include "vigil/text/suggestion.h"

namespace vigil::tools {

std::string unknown_command_text(std::string_view program, std::string_view name,
                                 const std::vector<std::string_view>& known) {
  return std::string(program) + ": unknown command \"" + std::string(name) + "\"" +
         text::suggestion(name, known);
}

int unknown_command(std::string_view program, std::string_view name,
                    std::span<const Command> commands) {
  std::vector<std::string_view> known = {"--help", "--version"};
  for (const Command& command : commands) known.push_back(command.name);
  std::fprintf(stderr, "%s\n`%s --help` lists the commands.\n",
               unknown_command_text(program, name, known).c_str(), std::string(program).c_str());
  return kUsage;
}

}  // namespace vigil::tools
