// SPDX-License-Identifier: Apache-2.0
//
// Cache: a sharded in-memory store of byte-string keys with versions, deadlines and one writer per
// shard. The engine under vigild; usable as a library.
//
// Use when: many threads read and write small keyed records that expire, and memory per key, tail
// latency and the order of writes matter. Use instead: vigil::ShardedMap for typed keys and values
// without expiry events.
//
// Thread safety: every member may be called from any thread at any time, except add_observer and
// set_tombstone_retention (while no other thread writes). Callbacks must not call back into the
// same Cache; a write that does so is stopped by VIGIL_CHECK.
//
// Consistency: operations on one key are linearizable. Writes to one shard are applied one at a
// time in one order (shard.h). A read never blocks, takes no lock and writes no shared memory; it
// sees an expired entry as absent whether or not it was collected. scan() visits every key that is
// present during the whole scan at least once.
//
// Time: Unix milliseconds passed in by the caller (vigil/base/clock.h), so that tests own time.
//
// Complexity: O(1) expected for single-key operations; growth moves one segment (at most 768
// entries) at a time. Memory: 20 bytes of header and about 8 bytes of index per key, entries
// rounded up to 8 bytes.
//
// Errors: no exceptions of its own; a full write queue is WriteStatus::kBusy, an entry over the
// limits or beyond the memory limit is an AssignStatus.
//
//   Cache cache({});
//   Key key = cache.key("order:1");
//   const WriteStatus written = cache.write(key, now_ms, [&](Slot& slot) {
//     slot.assign(Kind::kString, "paid", kNoDeadline);
//   });
//   std::string value;
//   cache.read(key, now_ms, [&](const EntryReader& entry) {
//     value.resize(entry.value_size());
//     entry.copy_value(value.data());
//   });
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vigil/base/hash.h"
#include "vigil/base/random.h"
#include "vigil/cache/entry.h"
#include "vigil/cache/eviction.h"
#include "vigil/cache/shard.h"
#include "vigil/cache/shard_observer.h"
#include "vigil/stacks/map_mark.h"

namespace vigil::cache {

inline constexpr std::uint64_t kMemoryLimitMin = std::uint64_t{64} << 20;  // of a server
inline constexpr std::uint64_t kMemoryLimitMax = std::uint64_t{32} << 30;

struct CacheOptions {
  std::uint32_t shards = 64;  // power of two, at most 4096
  HashAlgorithm hash = HashAlgorithm::kXxh3;
  std::uint32_t write_queue_capacity = 64;  // waiting writers per shard; power of two, at least 2
  std::uint64_t memory_limit_bytes = std::uint64_t{24} << 30;  // at most 32 GiB
  EvictionPolicy eviction = EvictionPolicy::kNoEviction;
};

// A key with its shard and hash, computed once per request. Refers to the caller's bytes.
struct Key {
  std::string_view bytes;
  std::uint64_t hash = 0;  // seeded: the position inside the shard's index
  std::uint32_t shard = 0;
};

struct CacheStats {
  std::uint64_t entries = 0;        // visible kinds, including expired ones not yet collected
  std::uint64_t with_deadline = 0;  // of those
  std::uint64_t tombstones = 0;     // tombstones and idempotency records
  std::uint64_t expired_total = 0;
  std::uint64_t evicted_total = 0;  // to make room
  std::uint64_t busy_total = 0;
  std::uint64_t handed_over_total = 0;  // writes applied by another thread that held the shard
  std::uint64_t entry_bytes = 0;        // allocated to entries
  std::uint64_t index_bytes = 0;
  std::uint64_t memory_limit_bytes = 0;
  std::uint64_t resident_bytes = 0;  // what counts to the memory limit
};

struct ShardStats {
  std::uint64_t entries = 0;
  double load_factor = 0;  // used / available index slots
  std::uint32_t queue_depth = 0;
};

class Cache {
 public:
  explicit Cache(const CacheOptions& options);
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  [[nodiscard]] const CacheOptions& options() const { return options_; }
  [[nodiscard]] std::uint32_t shard_count() const { return options_.shards; }

  // --- Before the first write, or while no other thread writes ---------------------------------

  // Tells `observer` the changes (shard_observer.h). It must live as long as the cache is used.
  void add_observer(ShardObserver& observer, ObservedEvents events = ObservedEvents::kAll);

  // An entry of this kind that expires leaves a tombstone with its version for so long; 0, which
  // is the default, for none. REQUIRES: a visible kind.
  void set_tombstone_retention(Kind kind, std::int64_t retention_ms);

  [[nodiscard]] Key key(std::string_view bytes) const {
    Key key;
    key.bytes = bytes;
    key.shard = static_cast<std::uint32_t>(stable_hash(options_.hash, bytes)) & shard_mask_;
    key.hash = seeded_hash(bytes, seed_);
    return key;
  }

  // --- Reads ---------------------------------------------------------------------------------

  // Two passes over a batch of keys, before reading or writing them, hide most cache misses:
  // prefetch_index for all, then prefetch_entry for all, then the operations.
  void prefetch_index(const Key& key) const { index(key).prefetch_bucket(key.hash); }
  void prefetch_entry(const Key& key) const { index(key).prefetch_entry(key.hash); }

  // Calls copy(const EntryReader&) for a visible entry, again if a writer interfered; returns
  // whether there was one. `copy` must only overwrite what its previous call wrote.
  template <class Copy>
  bool read(const Key& key, std::int64_t now_ms, Copy&& copy) const {
    return index(key).read(key.hash, key.bytes, [&](const EntryReader& entry) {
      if (!entry.header().visible(now_ms)) return false;
      copy(entry);
      return true;
    });
  }

  // The same for an entry of any kind, visible or not; copy returns whether it accepts it.
  template <class Copy>
  bool read_record(const Key& key, Copy&& copy) const {
    return index(key).read(key.hash, key.bytes, copy);
  }

  // The header of a visible entry.
  bool peek(const Key& key, std::int64_t now_ms, EntryHeader* header) const {
    return read(key, now_ms, [&](const EntryReader& entry) { *header = entry.header(); });
  }

  // --- Writes --------------------------------------------------------------------------------

  // Runs change(Slot&) as the only writer of the key's shard, on this thread when the shard is
  // free, else on the thread that holds it (flat combining). Returns when it ran, or kBusy when
  // the shard's queue is full or the wait exceeded the bound; then it did not and will not run.
  template <class Change>
  [[nodiscard]] WriteStatus write(const Key& key, std::int64_t now_ms, Change&& change) {
    return shards_.get()[key.shard].write(key.hash, key.bytes, now_ms, change);
  }

  // Runs change(slots) as the only writer of all the keys' shards at once (atomic to other
  // writers; a concurrent reader may see some of the keys before and some after).
  // slots(i) gives the Slot of keys[i]; it is valid until the next call of slots().
  class Slots;
  using ManyChange = std::function<void(Slots&)>;
  void write_many(std::span<const Key> keys, std::int64_t now_ms, const ManyChange& change);

  // Removes everything, shard by shard.
  void clear();

  // --- Memory --------------------------------------------------------------------------------

  // May be changed at any time. A limit below what is in use refuses, or evicts for, every write
  // that needs memory until there is room again.
  void set_memory_limit(std::uint64_t bytes) { budget_.set_limit(bytes); }
  [[nodiscard]] std::uint64_t memory_limit() const { return budget_.limit(); }
  void set_eviction_policy(EvictionPolicy policy) {
    eviction_.policy.store(policy, std::memory_order_relaxed);
  }
  [[nodiscard]] EvictionPolicy eviction_policy() const {
    return eviction_.policy.load(std::memory_order_relaxed);
  }
  // Entries of this kind for whose value the guard is true are not evicted. REQUIRES: before the
  // first write.
  void set_eviction_guard(Kind kind, Eviction::Guard guard) {
    eviction_.guards[static_cast<std::size_t>(kind)] = std::move(guard);
  }

  // --- Expiry --------------------------------------------------------------------------------

  // Collects entries that are due in shards first, first + stride, ...: at most about `budget`
  // units of work, the rest stays for the next call. A shard that is being written is skipped.
  struct ExpiryProgress {
    std::size_t expired = 0;
    bool more = false;  // work is left that is already due
  };
  ExpiryProgress collect_expired(std::uint32_t first, std::uint32_t stride, std::int64_t now_ms,
                                 std::size_t budget);
  // When collect_expired may next have work for these shards; INT64_MAX if nothing has a deadline.
  [[nodiscard]] std::int64_t next_expiry_ms(std::uint32_t first, std::uint32_t stride) const;

  // --- Bulk ----------------------------------------------------------------------------------

  struct ScannedEntry {
    std::string_view key;
    EntryHeader header;
  };
  using ScanVisitor = std::function<void(const ScannedEntry&)>;
  // Visits about `count` visible entries from `cursor` on (0 starts) and returns the next cursor,
  // 0 at the end. Cursors stay valid across growth; an entry may be visited twice.
  std::uint64_t scan(std::uint64_t cursor, std::int64_t now_ms, std::size_t count,
                     const ScanVisitor& visit) const;
  bool random_key(std::int64_t now_ms, Random& random, std::string* key) const;

  // Visits the records of one bucket of a shard, of every kind, hidden and expired ones too; starts
  // at cursor 0 and returns the next cursor, 0 at the end. Takes no shard: a record that is present
  // during the whole scan is visited at least once, as it was at some time of the scan, perhaps
  // before observers were told (version_floor() waits for that).
  struct ScannedRecord {
    std::string_view key;
    std::string_view value;
    EntryHeader header;
  };
  using RecordVisitor = std::function<void(const ScannedRecord&)>;
  std::uint64_t scan_records(std::uint32_t shard, std::uint64_t cursor,
                             const RecordVisitor& visit) const;
  // Versions of keys that are not in the shard start above it. Takes the shard for an instant:
  // every change that was visible to readers before was told to the observers when this returns.
  [[nodiscard]] std::uint64_t version_floor(std::uint32_t shard);

  // --- Statistics and debugging ----------------------------------------------------------------

  [[nodiscard]] std::uint64_t size() const;  // visible kinds, expired ones included until collected
  [[nodiscard]] CacheStats stats() const;
  [[nodiscard]] ShardStats shard_stats(std::uint32_t shard) const;
  // Checks every invariant of every shard (index.h, slab.h, timing_wheel.h); REQUIRES: no
  // concurrent writer.
  void check_invariants() const;

 private:
  friend class Restoration;  // restoration.h

  struct DestroyShards {
    std::uint32_t count;
    void operator()(Shard* shards) const;
  };

  [[nodiscard]] const Index& index(const Key& key) const {
    return shards_.get()[key.shard].index();
  }
  [[nodiscard]] std::vector<std::uint32_t> shards_of(std::span<const Key> keys) const;

  CacheOptions options_;
  std::uint32_t shard_mask_;
  std::uint64_t seed_;
  const MapLabel label_{this, "cache", "vigil::cache::Cache", MapSharing::kConcurrent};
  MemoryBudget budget_;
  Arena arena_;
  SegmentPool segments_;
  std::vector<std::unique_ptr<Slab>> slabs_;
  std::vector<std::vector<Shard*>> neighbours_;  // by slab
  ShardObservers observers_;
  Eviction eviction_;
  TombstoneRetention tombstone_retention_ms_{};
  std::unique_ptr<Shard, DestroyShards> shards_;  // an array
};

class Cache::Slots {
 public:
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;

  [[nodiscard]] Slot& operator()(std::size_t i);
  [[nodiscard]] std::size_t size() const { return keys_.size(); }

 private:
  friend class Cache;
  Slots(Cache& cache, std::span<const Key> keys, std::int64_t now_ms)
      : cache_(cache), keys_(keys), now_ms_(now_ms) {}

  Cache& cache_;
  std::span<const Key> keys_;
  std::int64_t now_ms_;
  std::optional<Slot> slot_;
};

}  // namespace vigil::cache
