// SPDX-License-Identifier: Apache-2.0
#include "vigil/orders/idempotency.h"

#include <array>
#include <cstring>
#include <optional>
#include <string_view>

#include "vigil/base/hash.h"
#include "vigil/base/random.h"

namespace vigil::orders {

std::uint64_t request_hash(const OrderEvent& event) {
  std::string request;
  const auto add = [&](std::string_view part) {
    request.append(std::to_string(part.size())).append(":").append(part);
  };
  const auto add_number = [&](const std::optional<std::uint64_t>& number) {
    add(number ? std::to_string(*number) : std::string_view("-"));
  };
  add(std::to_string(static_cast<int>(event.type)));
  add(event.status);
  add(event.has_payload ? event.payload : std::string_view());
  add(event.has_payload ? "payload" : "keep");
  add_number(event.version);
  add_number(event.if_version);
  add(event.if_exists ? "exists" : "any");
  if (event.if_one_of) {
    for (const std::uint64_t version : *event.if_one_of) add_number(version);
    add("one of");
  }
  return xxh3(request);
}

IdempotencyKeys::IdempotencyKeys(std::string_view given) : secret_(given) {
  if (!secret_.empty()) return;
  const std::array<std::uint64_t, 2> secret{random_seed(), random_seed()};
  secret_.resize(sizeof(secret));
  std::memcpy(secret_.data(), secret.data(), sizeof(secret));
}

std::string IdempotencyKeys::record_key(const OrderEvent& event) const {
  const auto size = static_cast<std::uint16_t>(event.order_id.size());
  std::string key;
  key.reserve(event.order_id.size() + event.idempotency_key.size() + sizeof(size) + secret_.size());
  key.append(event.order_id).append(event.idempotency_key);
  key.append(reinterpret_cast<const char*>(&size), sizeof(size));
  return key.append(secret_);
}

}  // namespace vigil::orders
