// SPDX-License-Identifier: Apache-2.0
//
// What `vigil` and its commands with commands of their own say about a name that is none of them.
//
// Thread safety: writes to standard error.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/tools/command.h"

namespace vigil::tools {

// `unknown command "rnu"; did you mean run?`
[[nodiscard]] std::string unknown_command_text(std::string_view name,
                                               const std::vector<std::string_view>& known);

// Prints it, with the way to the help; returns kUsage.
int unknown_command(std::string_view program, std::string_view name,
                    std::span<const Command> commands);

}  // namespace vigil::tools
