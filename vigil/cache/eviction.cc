// SPDX-License-Identifier: Apache-2.0
#include "vigil/cache/eviction.h"

#include <algorithm>

namespace vigil::cache {
namespace {

constexpr std::array<std::string_view, 3> kNames = {"noeviction", "volatile-ttl", "allkeys-lru"};

}  // namespace

std::string_view eviction_policy_name(EvictionPolicy policy) {
  return kNames[static_cast<std::size_t>(policy)];
}

std::optional<EvictionPolicy> parse_eviction_policy(std::string_view name) {
  const auto* const found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<EvictionPolicy>(found - kNames.begin());
}

}  // namespace vigil::cache
