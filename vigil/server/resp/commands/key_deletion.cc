// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/commands/key_deletion.h"

#include "vigil/server/resp/commands/key_write.h"

namespace vigil::server {

std::optional<bool> delete_order_key(Call& call, const cache::Key& key) {
  orders::OrderEvent event;
  event.type = orders::OrderEvent::Type::kDelete;
  event.order_id = key.bytes;
  const orders::OrderResult result = call.orders().apply(event, call.now_ms);
  if (result.outcome == orders::OrderOutcome::kBusy) {
    call.busy();
    return std::nullopt;
  }
  if (result.outcome != orders::OrderOutcome::kDeleted) return false;
  call.events().notify(KeyspaceEvents::kGeneric, "del", key.bytes);
  return true;
}

std::optional<bool> delete_key(Call& call, const cache::Key& key) {
  enum class Was : std::uint8_t { kAbsent, kString, kOrder };
  const auto was = change_key(call, key, [&](cache::Slot& slot) -> Changed<Was> {
    if (holds_order(slot)) return Was::kOrder;
    if (!holds_string(slot)) return Was::kAbsent;
    slot.erase();
    call.events().notify(KeyspaceEvents::kGeneric, "del", slot.key());
    return Was::kString;
  });
  if (!was) return std::nullopt;
  return *was == Was::kOrder ? delete_order_key(call, key) : *was == Was::kString;
}

}  // namespace vigil::server
