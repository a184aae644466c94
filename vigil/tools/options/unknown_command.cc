// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/options/unknown_command.h"

#include <cstdio>

#include "vigil/text/suggestion.h"
#include "vigil/tools/terminal.h"

namespace vigil::tools {

std::string unknown_command_text(std::string_view name,
                                 const std::vector<std::string_view>& known) {
  return "unknown command \"" + std::string(name) + "\"" + text::suggestion(name, known);
}

int unknown_command(std::string_view program, std::string_view name,
                    std::span<const Command> commands) {
  std::vector<std::string_view> known = {"--help", "--version"};
  for (const Command& command : commands) known.push_back(command.name);
  complain(program, unknown_command_text(name, known));
  std::fprintf(stderr, "`%s --help` lists the commands.\n", std::string(program).c_str());
  return kUsage;
}

}  // namespace vigil::tools
