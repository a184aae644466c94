// SPDX-License-Identifier: Apache-2.0
//
// ShardObserver: is told every change of a cache, as it is applied.
//
// Use when: something must see all changes, whatever command made them, and those of a key in their
// order: announcements of expiry, a log, invalidation of what clients keep, a second engine.
// Use instead: Cache::read() and scan() for the present state.
//
// Consistency: the events of one shard come one at a time, in the order in which its writers
// applied the changes. Each comes right after its change became visible to readers and before the
// next change of the shard. From them alone a copy of the shard can be built (the model test does):
//
//   stored         the record under the key is now this one
//   deadline_set   it is the same record with another deadline
//   removed        there is no record under the key any more
//   cleared        there is no record in the shard any more
//
// Changes between group_began() and group_ended() of the same thread belong together: whoever keeps
// them keeps all or none. A group is the changes of one write_many(), or of one write that asked
// for it (Slot::group()); groups do not nest, and all shards of a group are held until it ended.
//
// "Record" means every kind of entry: hidden ones (tombstones, idempotency records) are announced
// like visible ones. A visible entry that leaves a tombstone is announced as removed, and the next
// event of the shard stores the tombstone; so a visible entry always ends in `removed` or
// `cleared`, or is replaced by `stored`. An entry past its deadline is announced when it is
// collected, which is before any writer could see it. A key is announced with the shard that holds
// it, which for a Slot::sibling() is not the one that its hash selects. Events of different shards
// have no common order, not even those of one write_many().
//
// Thread safety: a function is called by the thread that applies the change, while it holds the
// shard; for different shards at the same time. What an observer keeps per shard needs no lock.
//
// Callbacks: the writers of the shard wait meanwhile, so be quick and wait for nobody. A callback
// must not throw (they are noexcept) and must not call the cache; a write is stopped by
// VIGIL_CHECK. All views and pointers are valid during the call.
//
// Lifetime: registered by Cache::add_observer() before the first write, or while no other thread
// writes (a log, after the cache was restored), for as long as the cache is used. Observers are
// called in the order in which they were registered. Restoring a cache (restoration.h) is not told.
//
// Complexity: nothing but a comparison per change of which no observer is told. An observer that
// needs removed() alone says so to add_observer(): stores, the changes of the hot path, then stay
// free of it.
//
//   struct Deletions final : vigil::cache::ShardObserver {
//     void removed(const vigil::cache::RemovedEntry& entry) noexcept override {
//       if (entry.cause == vigil::cache::RemovalCause::kDeleted) total.fetch_add(1);
//     }
//     std::atomic<int> total{0};
//   };
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "vigil/cache/entry.h"

namespace vigil::cache {

struct StoredEntry {
  std::uint32_t shard = 0;
  std::int64_t now_ms = 0;
  std::string_view key;
  std::string_view value;
  EntryHeader header;
  const EntryHeader* previous = nullptr;  // of the record that it replaced, if there was one
};

enum class RemovalCause : std::uint8_t {
  kDeleted,
  kExpired,
};

struct RemovedEntry {
  std::uint32_t shard = 0;
  std::int64_t now_ms = 0;  // of an expired entry, now_ms - header.deadline_ms is the lag
  std::string_view key;
  std::string_view value;  // the last one
  EntryHeader header;
  RemovalCause cause = RemovalCause::kDeleted;
  bool leaves_tombstone = false;  // the shard's next event stores one under this key
};

struct MovedDeadline {
  std::uint32_t shard = 0;
  std::int64_t now_ms = 0;
  std::string_view key;
  EntryHeader header;  // with the new deadline
  std::int64_t previous_deadline_ms = kNoDeadline;
};

// Override what is to be seen.
class ShardObserver {
 public:
  ShardObserver() = default;
  ShardObserver(const ShardObserver&) = delete;
  ShardObserver& operator=(const ShardObserver&) = delete;
  virtual ~ShardObserver() = default;

  virtual void stored(const StoredEntry& /*entry*/) noexcept {}
  virtual void removed(const RemovedEntry& /*entry*/) noexcept {}
  virtual void deadline_set(const MovedDeadline& /*entry*/) noexcept {}
  // The next versions of the shard start above `version_floor`.
  virtual void cleared(std::uint32_t /*shard*/, std::uint64_t /*version_floor*/) noexcept {}
  virtual void group_began() noexcept {}
  virtual void group_ended() noexcept {}
};

// What an observer is told.
enum class ObservedEvents : std::uint8_t {
  kAll,
  kRemovals,  // removed() alone
};

// The observers of a cache, in the order of their registration.
struct ShardObservers {
  std::vector<ShardObserver*> of_all;
  std::vector<ShardObserver*> of_removals;  // those of all events included
};

// A group of changes, from here to the end of the scope. REQUIRES: its shards are held.
class ChangeGroup {
 public:
  explicit ChangeGroup(const ShardObservers& observers) : observers_(observers) {
    for (ShardObserver* observer : observers_.of_all) observer->group_began();
  }
  ~ChangeGroup() {
    for (ShardObserver* observer : observers_.of_all) observer->group_ended();
  }
  ChangeGroup(const ChangeGroup&) = delete;
  ChangeGroup& operator=(const ChangeGroup&) = delete;

 private:
  const ShardObservers& observers_;
};

}  // namespace vigil::cache
