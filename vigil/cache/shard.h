// SPDX-License-Identifier: Apache-2.0
//
// Shard: a part of the cache with exactly one writer at a time.
//
// The single-writer guarantee. A write takes the shard with one atomic exchange and is applied in
// place by the calling thread. If the shard is taken, the write goes into the shard's bounded queue
// and the thread that holds the shard applies it before leaving (flat combining, Hendler, Incze,
// Shavit and Tzafrir, SPAA 2010); the caller waits for it, and takes the shard itself should it
// become free first. So writes of one shard never overlap, are applied in one order, and no thread
// sleeps behind the shard. A full queue, or a wait over kWaitRoundsMax, is WriteStatus::kBusy: the
// write is withdrawn and was not applied.
//
// Why not a queue and a thread per shard: handing every write over costs a wake-up of tens of
// microseconds, applying in place an uncontended exchange.
//
// Readers use the index's protocol (index.h) and never touch the lock.
//
// Every change goes through store(), set_deadline(), remove(), bury() or clear(), which tell it to
// the shard's observers (shard_observer.h).
//
// Thread safety: all public members, unless said otherwise, from any thread. Re-entrant writes are
// stopped by VIGIL_CHECK.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/base/spin_lock.h"
#include "vigil/cache/arena.h"
#include "vigil/cache/entry.h"
#include "vigil/cache/eviction.h"
#include "vigil/cache/index.h"
#include "vigil/cache/index_segment.h"
#include "vigil/cache/memory_budget.h"
#include "vigil/cache/shard_observer.h"
#include "vigil/cache/slab.h"
#include "vigil/cache/timing_wheel.h"
#include "vigil/cache/write_queue.h"
#include "vigil/stacks/map_mark.h"

namespace vigil::cache {

class Shard;

enum class WriteStatus : std::uint8_t {
  kApplied,
  kBusy,  // the shard's queue was full or its holder did not get to run; nothing was changed
};

enum class AssignStatus : std::uint8_t {
  kStored,
  kTooLarge,     // key or value over the limits of entry.h; nothing was changed
  kOutOfMemory,  // beyond the memory limit; nothing was changed
};

// How long the tombstone of an expired entry stays, by kind; 0: it leaves none.
using TombstoneRetention = std::array<std::int64_t, kKinds>;

// The writer's view of one key. Valid during the callback that got it. Entries that expired are
// collected before the callback runs, so it never sees one.
class Slot {
 public:
  Slot(Shard& shard, std::uint64_t hash, std::string_view key, std::int64_t now_ms);

  [[nodiscard]] std::string_view key() const { return key_; }
  [[nodiscard]] std::int64_t now_ms() const { return now_ms_; }

  // A visible entry (a string or an order) is there.
  [[nodiscard]] bool exists() const { return has_record() && !header_.hidden(); }
  // Any entry is there, also a tombstone.
  [[nodiscard]] bool has_record() const { return static_cast<bool>(position_); }

  // REQUIRES for these: has_record().
  [[nodiscard]] const EntryHeader& header() const { return header_; }
  [[nodiscard]] Kind kind() const { return header_.kind; }
  [[nodiscard]] std::uint64_t version() const { return header_.version; }
  [[nodiscard]] std::int64_t deadline_ms() const { return header_.deadline_ms; }
  // In place: valid until the entry is changed.
  [[nodiscard]] std::string_view value() const;

  // The version that assign() gives when none is asked for: one more than the key ever had.
  [[nodiscard]] std::uint64_t next_version() const;

  // Stores head followed by tail as the value; version 0 means next_version(). The bytes must not
  // overlap value(). REQUIRES: a hidden kind does not replace a visible entry (bury() does).
  AssignStatus assign(Kind kind, std::string_view head, std::string_view tail,
                      std::int64_t deadline_ms, std::uint64_t version = 0);
  AssignStatus assign(Kind kind, std::string_view value, std::int64_t deadline_ms,
                      std::uint64_t version = 0) {
    return assign(kind, value, {}, deadline_ms, version);
  }
  // REQUIRES: has_record(). The version stays.
  void set_deadline(std::int64_t deadline_ms);
  // Removes the entry, leaving nothing. REQUIRES: has_record().
  void erase();
  // Leaves a tombstone with this version in place of the entry, if there is one. Cannot fail where
  // has_record().
  AssignStatus bury(std::uint64_t version, std::int64_t deadline_ms);

  // Another key of the same shard, whatever shard its own hash would select: a record that must
  // change together with this key. Changing either invalidates the other Slot. REQUIRES: the bytes
  // of `key` outlive the Slot.
  [[nodiscard]] Slot sibling(std::string_view key) const;

  // The changes from here to the end of the scope, of this key and its siblings, belong together
  // (shard_observer.h). REQUIRES: not inside of write_many(), which is one group anyway.
  [[nodiscard]] ChangeGroup group() const;

 private:
  friend class Shard;

  Slot(Shard& shard, std::uint64_t hash, std::string_view key, std::int64_t now_ms,
       Index::Position position);

  Shard& shard_;
  std::uint64_t hash_;
  std::string_view key_;
  std::int64_t now_ms_;
  Index::Position position_;
  EntryHeader header_;  // version 0 while there is no record
};

class Shard {
 public:
  static constexpr std::uint32_t kWaitRoundsMax = 1U << 20;

  struct Options {
    std::uint32_t number;
    std::uint32_t queue_capacity;
    std::uint32_t wheel_phase;
    std::uint64_t hash_seed;
    const TombstoneRetention* retention_ms;
    const ShardObservers* observers;
    const Eviction* eviction;
    const std::vector<Shard*>* neighbours;  // that use the same slab, this one included
    const MapLabel* label;                  // of the cache: what its writers are inside of
  };
  struct Counters {
    std::atomic<std::uint64_t> visible{0};
    std::atomic<std::uint64_t> hidden{0};  // tombstones and idempotency records
    std::atomic<std::uint64_t> with_deadline{0};
    std::atomic<std::uint64_t> expired{0};
    std::atomic<std::uint64_t> evicted{0};
    std::atomic<std::uint64_t> busy{0};
    std::atomic<std::uint64_t> handed_over{0};
    std::atomic<std::uint64_t> entry_bytes{0};
    std::atomic<std::uint64_t> wheel_bytes{0};
  };

  // What the shards of a cache share; it outlives them. A slab serves several shards.
  struct Memory {
    MemoryBudget& budget;
    Arena& arena;
    SegmentPool& segments;
    Slab& slab;
  };

  Shard(const Memory& memory, const Options& options);
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // --- Readers ---
  [[nodiscard]] const Index& index() const { return index_; }

  // --- Writers ---
  template <class Change>
  [[nodiscard]] WriteStatus write(std::uint64_t hash, std::string_view key, std::int64_t now_ms,
                                  Change& change);

  // Holds the shard: enter() waits without bound, leave() applies what queued up meanwhile.
  // REQUIRES: a thread that holds several shards enters them in ascending order of their numbers.
  void enter();
  [[nodiscard]] bool try_enter();
  void leave();
  // Aborts if this thread is inside a write to the same cache.
  void refuse_reentry() const;

  // REQUIRES: entered, for the following.
  void clear();
  // The record as it is, expired or not, for restoring (restoration.h).
  [[nodiscard]] Slot stored_slot(std::uint64_t hash, std::string_view key, std::int64_t now_ms);
  // Versions of keys that are not there start above it.
  [[nodiscard]] std::uint64_t version_floor() const { return version_floor_; }
  void raise_version_floor(std::uint64_t version);
  // Returns the number of entries expired; takes the work done from *budget and sets *more if
  // something due is left.
  std::size_t collect_expired(std::int64_t now_ms, std::size_t* budget, bool* more);
  void check_invariants() const;

  [[nodiscard]] std::int64_t next_expiry_ms() const { return wheel_.next_due_ms(); }
  [[nodiscard]] std::uint32_t queue_depth() const { return queue_.depth(); }
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  friend class Slot;

  // Runs `change` once, on whatever thread applies it, and carries its exception back.
  template <class Change>
  class Handover;

  [[nodiscard]] WriteStatus hand_over(PendingWrite& write);
  void drain();
  // Entering and leaving without applying what is queued: its writers try to enter themselves.
  [[nodiscard]] bool try_take();
  void release();

  // As the writer.
  [[nodiscard]] Index::Position find_live(std::uint64_t hash, std::string_view key,
                                          std::int64_t now_ms, EntryHeader* header);

  // The changes, each told to the observers.
  AssignStatus store(Slot& slot, const EntryHeader& header, std::string_view head,
                     std::string_view tail);
  void set_deadline(Slot& slot, std::int64_t deadline_ms);
  void remove(std::uint64_t hash, Index::Position position, const EntryHeader& header,
              RemovalCause cause, std::int64_t now_ms);
  // What a tombstone keeps of the entry whose place it takes.
  struct Tombstone {
    std::uint64_t version;
    std::int64_t deadline_ms;
  };
  // Returns the tombstone's header.
  EntryHeader bury(Index::Position position, const EntryHeader& header, const Tombstone& kept,
                   RemovalCause cause, std::int64_t now_ms);
  void expire(std::uint64_t hash, Index::Position position, const EntryHeader& header,
              std::int64_t now_ms);

  // REQUIRES: the entry's memory still holds it. `previous` has version 0 if there was no record.
  void tell_stored(Ref ref, const EntryHeader& header, const EntryHeader& previous,
                   std::int64_t now_ms) const;
  void tell_removed(Ref ref, const EntryHeader& header, RemovalCause cause, bool leaves_tombstone,
                    std::int64_t now_ms) const;

  [[nodiscard]] Ref create(const EntryHeader& header, std::string_view key, std::string_view head,
                           std::string_view tail);
  inline void overwrite(const Slot& slot, const EntryHeader& header, std::string_view head,
                        std::string_view tail);
  // As create(), evicting others if the policy says so.
  [[nodiscard]] inline Ref create_for(Slot& slot, const EntryHeader& header, std::string_view head,
                                      std::string_view tail);
  [[nodiscard]] bool insert(Slot& slot, Ref ref, Need need);
  void free_entry(Ref ref, const EntryHeader& header);

  // Eviction (shard_eviction.cc).
  [[nodiscard]] Ref create_evicting(Slot& slot, const EntryHeader& header, std::string_view head,
                                    std::string_view tail);
  template <class Done>
  void vacate_chunks(Ref kept, std::int64_t now_ms, std::uint32_t chunks, Done&& done);
  [[nodiscard]] bool vacate(const std::vector<Ref>& refs, Ref kept,
                            const std::vector<Shard*>& owners, std::int64_t now_ms);
  void evict(Ref ref, std::int64_t now_ms);
  [[nodiscard]] std::uint64_t eviction_rank(const Index::Sampled& sampled,
                                            const EntryHeader& header, std::int64_t now_ms) const;
  bool evict_one(std::uint32_t bytes, Ref kept, std::int64_t now_ms);
  void note_added();
  void schedule(Ref ref, std::int64_t deadline_ms, std::int64_t now_ms);
  void charge_wheel();
  void on_ticket(Ref ref, std::uint32_t ticket, std::int64_t now_ms);
  void count(const EntryHeader& header, std::int64_t by);

  // Taken with every write; on a line of its own.
  alignas(64) std::atomic<std::uint32_t> taken_{0};
  std::uint32_t writers_ = 0;    // inside the shard: 0 or 1, guarded by taken_
  std::optional<MapMark> mark_;  // of the writer, guarded by taken_

  MemoryBudget& budget_;
  Arena& arena_;
  Slab& slab_;
  Options options_;
  Index index_;
  TimingWheel wheel_;
  std::uint64_t version_floor_ = 0;    // the highest version among removed entries
  std::uint64_t highest_version_ = 0;  // among all entries that there ever were
  std::string scratch_key_;
  Random random_;
  std::uint64_t added_in_era_ = 0;
  Counters counters_;
  WriteQueue queue_;
};

template <class Change>
class Shard::Handover final : public PendingWrite {
 public:
  Handover(Shard& shard, std::uint64_t hash, std::string_view key, std::int64_t now_ms,
           Change& change)
      : shard_(shard), hash_(hash), key_(key), now_ms_(now_ms), change_(change) {}

  void apply() noexcept override {
    try {
      Slot slot(shard_, hash_, key_, now_ms_);
      change_(slot);
    } catch (...) {
      failure_ = std::current_exception();
    }
  }
  void rethrow_failure() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  Shard& shard_;
  std::uint64_t hash_;
  std::string_view key_;
  std::int64_t now_ms_;
  Change& change_;
  std::exception_ptr failure_;
};

template <class Change>
WriteStatus Shard::write(std::uint64_t hash, std::string_view key, std::int64_t now_ms,
                         Change& change) {
  refuse_reentry();
  if (try_enter()) [[likely]] {
    struct Leave {
      Shard& shard;
      ~Leave() { shard.leave(); }
    } const leave_at_end{*this};
    Slot slot(*this, hash, key, now_ms);
    change(slot);
    return WriteStatus::kApplied;
  }
  Handover<Change> waiting(*this, hash, key, now_ms, change);
  const WriteStatus status = hand_over(waiting);
  waiting.rethrow_failure();
  return status;
}

}  // namespace vigil::cache
