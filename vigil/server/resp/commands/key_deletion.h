// SPDX-License-Identifier: Apache-2.0
//
// Deleting a key of any kind on behalf of a RESP command.
//
// Thread safety: as the Call.
#pragma once

#include "vigil/cache/cache.h"
#include "vigil/server/resp/command.h"

namespace vigil::server {

enum class Deletion : std::uint8_t {
  kDeleted,
  kAbsent,
  kBusy,  // the BUSY error was replied
};

// Deletes a string, or an order through Orders, so that its tombstone stays.
Deletion delete_key(Call& call, const cache::Key& key);
// REQUIRES: nothing; kAbsent if the key holds no order (any more).
Deletion delete_order_key(Call& call, const cache::Key& key);

}  // namespace vigil::server
