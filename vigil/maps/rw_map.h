// SPDX-License-Identifier: Apache-2.0
//
// RwMap: a hash map behind a reader-writer lock. Its members are those of concurrent_map.h;
// docs/maps.md compares the maps of the family.
//
// Use when: an iteration, or a visit, must see one moment of the whole map; when several threads
// mostly read and callbacks are short. Use instead: ShardedMap for everything that is written often
// or must not wait; SnapshotMap where a reader keeps a whole version; CheckedMap where one thread
// owns the map.
//
// Requirements: Key can be copied, and moved without an exception; Value can be moved; Hash takes
// std::string_view where Key is std::string, else const Key&, and returns an integer; Equal
// compares two of these. The compiler says so in a sentence (internal/requirements.h).
//
// Thread safety: every member but construction and destruction may be called from any thread.
//
// Consistency: every operation, for_each and erase_if(predicate) included, is atomic: the map as a
// whole is linearizable.
//
// Blocking: reads share the map; a write waits for the reads that run and holds off new ones.
// Readers on different processors write no cache line in common (internal/distributed_rw_lock.h);
// a read costs two locked instructions on a line of the processor it runs on.
//
// Callbacks run while the map is locked: using the same map from them, or from Hash, Equal or a
// copy, would wait for ever and is stopped by VIGIL_CHECK. A reference must not leave the callback.
//   allowed:    map.for_each([&](const auto& key, const Value& v) { other.insert(key, v); });
//   forbidden:  map.for_each([&](const auto& key, const Value&) { map.erase(key); });   // stopped
//
// Complexity: O(1) expected. Memory: internal/flat/flat_table.h, and 64 bytes per processor.
//
// Exceptions: what copies, Hash, Equal and callbacks throw, and std::bad_alloc; the operation then
// has not happened (internal/flat/flat_map.h tells of update()).
//
// Left out on purpose: iterators, moves, emplace (concurrent_map.h says why).
//
// Example:
//   vigil::RwMap<std::string, int> visits({.name = "visits"});
//   visits.insert_or_assign("u:17", 2);
//   visits.insert_or_assign("u:18", 3);
//   int total = 0;
//   visits.for_each([&](std::string_view, int count) { total += count; });  // of one moment
//   assert(total == 5);
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "vigil/maps/default_hash.h"
#include "vigil/maps/internal/distributed_rw_lock.h"
#include "vigil/maps/internal/flat/flat_map.h"
#include "vigil/maps/internal/guarded_map.h"
#include "vigil/maps/map_options.h"
#include "vigil/stacks/type_name.h"

namespace vigil {

namespace maps::internal {

// Guards that take the lock.
struct RwGuarding {
  static constexpr bool kWaits = true;
  static constexpr MapSharing kSharing = MapSharing::kConcurrent;

  explicit RwGuarding(const MapLabel&) {}

  class Read {
   public:
    Read(RwGuarding& guarding, MapOperation)
        : lock_(guarding.lock), slot_(guarding.lock.lock_shared()) {}
    ~Read() { lock_.unlock_shared(slot_); }
    Read(const Read&) = delete;
    Read& operator=(const Read&) = delete;
    [[nodiscard]] static constexpr bool still_valid() noexcept { return true; }

   private:
    DistributedRwLock& lock_;
    DistributedRwLock::Slot slot_;
  };
  class Write {
   public:
    Write(RwGuarding& guarding, MapOperation) : lock_(guarding.lock) { lock_.lock(); }
    ~Write() { lock_.unlock(); }
    Write(const Write&) = delete;
    Write& operator=(const Write&) = delete;

   private:
    DistributedRwLock& lock_;
  };

  DistributedRwLock lock;
};

}  // namespace maps::internal

using RwMapStats = MapStats;

template <class Key, class Value, class Hash = DefaultHash<Key>, class Equal = std::equal_to<Key>,
          class Allocator = std::allocator<std::pair<const Key, Value>>>
class RwMap
    : public maps::internal::GuardedMap<maps::internal::FlatMap<Key, Value, Hash, Equal, Allocator>,
                                        maps::internal::RwGuarding> {
 public:
  explicit RwMap(Hash hash = Hash(), Equal equal = Equal(), const Allocator& allocator = {})
      : RwMap(MapOptions(), std::move(hash), std::move(equal), allocator) {}
  explicit RwMap(MapOptions options, Hash hash = Hash(), Equal equal = Equal(),
                 const Allocator& allocator = {})
      : RwMap::GuardedMap(std::move(options.name), map_type_name<"RwMap", Key, Value>(),
                          std::move(hash), std::move(equal), allocator) {}

  [[nodiscard]] RwMapStats stats() const { return this->table_stats(); }
};

}  // namespace vigil
