// SPDX-License-Identifier: Apache-2.0
//
// All commands that vigild serves over RESP.
//
// Thread safety: constant.
#pragma once

#include "vigil/server/resp/command_table.h"

namespace vigil::server {

[[nodiscard]] const CommandTable& all_commands();

}  // namespace vigil::server
