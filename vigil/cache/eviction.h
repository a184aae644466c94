// SPDX-License-Identifier: Apache-2.0
//
// Eviction: which entries make room when the memory limit is reached, under Redis's names.
//
//   noeviction    none; the write is refused
//   volatile-ttl  of those with a deadline, the one that is due first
//   allkeys-lru   the one that was not used for longest
//
// The victim is the best of a sample from the shard that is written. Entries that reads never show
// (tombstones, idempotency records) are never evicted, and of visible ones those that a guard
// protects (an order that is not finished) are not either.
//
// How long an entry was not used is told by one byte per slot of the index: the number of the
// shard's *era* in which it was last read or written. An era ends when a 32nd of the shard's keys
// were added. A reader writes the byte at most once per era; it lies in memory that never becomes
// anything else (index_segment.h), so a late reader spoils nothing but an age. While the policy is
// another one, nothing is written and the bytes take no memory.
//
// Thread safety: a policy may be set at any time, a guard before the cache's first write.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "vigil/cache/entry.h"

namespace vigil::cache {

enum class EvictionPolicy : std::uint8_t { kNoEviction, kVolatileTtl, kAllkeysLru };

[[nodiscard]] std::string_view eviction_policy_name(EvictionPolicy policy);
[[nodiscard]] std::optional<EvictionPolicy> parse_eviction_policy(std::string_view name);

struct Eviction {
  // Whether an entry of this kind with this value must stay.
  using Guard = std::function<bool(std::string_view value)>;

  std::atomic<EvictionPolicy> policy{EvictionPolicy::kNoEviction};
  std::array<Guard, kKinds> guards;

  [[nodiscard]] bool on() const {
    return policy.load(std::memory_order_relaxed) != EvictionPolicy::kNoEviction;
  }
  [[nodiscard]] bool may_evict(const EntryHeader& header, std::string_view value) const {
    if (header.hidden()) return false;
    const Guard& guard = guards[static_cast<std::size_t>(header.kind)];
    return !guard || !guard(value);
  }
};

// The eras of a shard, as they are kept in a byte: 1 to 255 and again; 0: never used.
using Era = std::uint8_t;
[[nodiscard]] constexpr Era era_after(Era era) {
  return era == 255 ? Era{1} : static_cast<Era>(era + 1);
}
// In eras, 0 for the present one; what was never used is oldest.
[[nodiscard]] constexpr std::uint32_t era_age(Era now, Era then) {
  if (then == 0) return 255;
  return now >= then ? now - then : 255U + now - then;
}

}  // namespace vigil::cache
