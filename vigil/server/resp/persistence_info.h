// SPDX-License-Identifier: Apache-2.0
//
// The section "Persistence" of INFO. Where Redis has a field that means the same, it has its name:
// a snapshot is what Redis calls an RDB file, the log its AOF.
//
// Thread safety: any thread.
#pragma once

#include <string>

#include "vigil/server/durability/durability.h"
#include "vigil/server/reactor/server_state.h"

namespace vigil::server {

[[nodiscard]] std::string persistence_info(const ServerState& server);

// When the last snapshot ended, or when the server started if there is none; Unix milliseconds.
[[nodiscard]] std::int64_t last_save_ms(const ServerState& server);

}  // namespace vigil::server
