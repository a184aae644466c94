// SPDX-License-Identifier: Apache-2.0
//
// Deleting a key of any kind on behalf of a RESP command.
//
// Thread safety: as the Call.
#pragma once

#include <optional>

#include "vigil/cache/cache.h"
#include "vigil/server/resp/call.h"

namespace vigil::server {

// Deletes a string, or an order through Orders, so that its tombstone stays. Whether there was
// something; nothing after replying why it was not deleted.
[[nodiscard]] std::optional<bool> delete_key(Call& call, const cache::Key& key);
// The same if the key still holds an order.
[[nodiscard]] std::optional<bool> delete_order_key(Call& call, const cache::Key& key);

}  // namespace vigil::server
