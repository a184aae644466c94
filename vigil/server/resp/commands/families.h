// SPDX-License-Identifier: Apache-2.0
//
// The families of commands, one per source file of this folder.
//
// Thread safety: constants.
#pragma once

#include <span>

#include "vigil/server/resp/command.h"

namespace vigil::server {

[[nodiscard]] std::span<const Command> client_commands();
[[nodiscard]] std::span<const Command> command_commands();
[[nodiscard]] std::span<const Command> config_commands();
[[nodiscard]] std::span<const Command> connection_commands();
[[nodiscard]] std::span<const Command> expiry_commands();
[[nodiscard]] std::span<const Command> key_commands();
[[nodiscard]] std::span<const Command> number_commands();
[[nodiscard]] std::span<const Command> order_commands();
[[nodiscard]] std::span<const Command> persistence_commands();
[[nodiscard]] std::span<const Command> pubsub_commands();
[[nodiscard]] std::span<const Command> server_commands();
[[nodiscard]] std::span<const Command> set_commands();
[[nodiscard]] std::span<const Command> string_commands();

}  // namespace vigil::server
