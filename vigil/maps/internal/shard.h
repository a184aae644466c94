// SPDX-License-Identifier: Apache-2.0
//
// Shard: the lock, the counters and the unlinked nodes of the entries whose hashes agree in their
// low bits.
// Whoever adds, erases or moves entries holds the lock; to replace a value it is not needed
// (group.h).
// Shards: all of them, and the change of their number while the map is in use.
//
// Entries do not move when the number of shards changes: shards say which thread may write where,
// the directory says where entries lie. Shard i of n is responsible for the hashes with hash % n ==
// i, and every segment of such a hash belongs to it alone, because no segment has a depth below
// log2(n), the shard's smallest_depth().
//
// Protocol. For every number of shards that was ever used there is one array, kept until the map
// dies. A shard is live, or `forward` names the array that took over its hashes. Going from n to 2n
// (halving is the mirror image, without step 1):
//   1  one shard of n after the other, under its lock: its smallest_depth becomes that of 2n, and a
//      segment that is less deep splits. What can fail fails here; all shards are live still.
//   2  one shard of n after the other, under its lock and those of its two successors: counters and
//      unlinked nodes move, `forward` is set here and cleared there
//   3  the array of 2n becomes the first that writers try
// A writer locks the shard of its hash in the first array; if that is not live it unlocks and goes
// where `forward` points. So at every moment exactly one live shard is responsible for a hash: 2
// changes that under all locks involved. A writer that was late, even by several changes, finds its
// way from any array, since the shard it locked knows which array took over last. Readers take no
// part.
//
// Lock order: the change lock, shards of the array in use in ascending order, shards of the other.
// Anybody else holds one shard, or several of one array, in ascending order: lock_all() lets all go
// as soon as it meets one that is not live.
//
// Counters: those of a shard that was cut in two stay with its lower half; the upper half counts
// from zero, modulo 2^64. Only sums over all shards are meant to be read.
//
// Thread safety: as said of each member; mostly under the lock of the shard.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "vigil/base/check.h"
#include "vigil/base/spin_lock.h"
#include "vigil/base/thread_annotations.h"
#include "vigil/maps/internal/node.h"
#include "vigil/maps/internal/reclaimer.h"

namespace vigil::maps::internal {

// A number written by the holder of a lock and read by anybody.
class Counter {
 public:
  void add(std::uint64_t n) noexcept { value_.store(get() + n, std::memory_order_relaxed); }
  void subtract(std::uint64_t n) noexcept { value_.store(get() - n, std::memory_order_relaxed); }
  // Takes over what another counter counted.
  void absorb(Counter& other) noexcept {
    add(other.get());
    other.value_.store(0, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t get() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct ShardCounters {
  Counter entries;
  Counter with_deadline;
  Counter expired;   // entries removed because their deadline had passed
  Counter segments;  // current ones
  Counter groups;    // in current segments
  Counter resizes;   // segments replaced by larger or smaller ones
  Counter splits;
  Counter merges;
  Counter retired;  // unlinked nodes that wait to be destroyed
  Counter debt;     // the bytes of these

  void absorb(ShardCounters& other) noexcept {
    entries.absorb(other.entries);
    with_deadline.absorb(other.with_deadline);
    expired.absorb(other.expired);
    segments.absorb(other.segments);
    groups.absorb(other.groups);
    resizes.absorb(other.resizes);
    splits.absorb(other.splits);
    merges.absorb(other.merges);
    retired.absorb(other.retired);
    debt.absorb(other.debt);
  }
};

class ShardArray;

// Everything but lock() and counters() REQUIRES the lock.
class alignas(64) Shard {
 public:
  [[nodiscard]] SpinLock& lock() noexcept { return lock_; }
  [[nodiscard]] ShardCounters& counters() noexcept { return counters_; }

  [[nodiscard]] std::uint32_t smallest_depth() const noexcept { return smallest_depth_; }
  void set_smallest_depth(std::uint32_t depth) noexcept { smallest_depth_ = depth; }
  // The array that took over this shard's hashes; nullptr if the shard is live.
  [[nodiscard]] ShardArray* forward() const noexcept { return forward_; }
  void set_forward(ShardArray* array) noexcept { forward_ = array; }

  // Takes an unlinked node; nullptr is ignored.
  void retire(Node* node) noexcept {
    if (node == nullptr) return;
    counters_.debt.add(retired_.push(node));
    counters_.retired.add(1);
  }
  enum class Due : std::uint8_t { kNothing, kReclaim, kReclaimAndWait };
  // Counts a write and says what it should do once the lock is released.
  [[nodiscard]] Due count_write() noexcept {
    owed_by_writes_ += Reclaimer::kPerWrite;
    const std::uint64_t debt = counters_.debt.get() + owed_by_writes_;
    if (debt < limit_) [[likely]]
      return Due::kNothing;
    return debt < std::uint64_t{2} * limit_ ? Due::kReclaim : Due::kReclaimAndWait;
  }
  // Moves the unlinked nodes to `to`; nothing is owed any more.
  void hand_over_retired(Retired& to) noexcept {
    to.absorb(retired_);
    counters_.retired.subtract(counters_.retired.get());
    counters_.debt.subtract(counters_.debt.get());
    owed_by_writes_ = 0;
  }
  void set_limit(std::uint32_t limit) noexcept { limit_ = limit; }

  void absorb(Shard& other) noexcept {
    counters_.absorb(other.counters_);
    retired_.absorb(other.retired_);
  }

 private:
  SpinLock lock_;
  std::uint32_t smallest_depth_ = 0;
  std::uint32_t limit_ = 0;  // of the debt (reclaimer.h), for:
  std::uint32_t owed_by_writes_ = 0;
  ShardArray* forward_ = nullptr;
  ShardCounters counters_;
  Retired retired_;
};

// A map has 64 of them, and a program many maps.
static_assert(sizeof(Shard) <= 128);

class ShardArray {
 public:
  explicit ShardArray(std::uint32_t count) : mask_(count - 1), shards_(new Shard[count]) {
    for (std::uint32_t i = 0; i < count; ++i) {
      shards_[i].set_smallest_depth(depth());
      shards_[i].set_limit(Reclaimer::limit(count));
    }
  }

  [[nodiscard]] std::uint32_t count() const noexcept { return mask_ + 1; }
  // Of the least deep segment that belongs to one shard.
  [[nodiscard]] std::uint32_t depth() const noexcept {
    return static_cast<std::uint32_t>(std::popcount(mask_));
  }
  [[nodiscard]] Shard& of(std::uint64_t hash) noexcept { return shards_[hash & mask_]; }

 private:
  std::uint32_t mask_;
  std::unique_ptr<Shard[]> shards_;
};

class Shards {
 public:
  static constexpr std::uint32_t kCountMax = 4096;

  explicit Shards(std::uint32_t count) { current_.store(&array_of(count)); }
  ~Shards() {
    for (const auto& slot : arrays_) delete slot.load(std::memory_order_relaxed);
  }
  Shards(const Shards&) = delete;
  Shards& operator=(const Shards&) = delete;

  // Locks and returns the shard that is responsible for the hash.
  [[nodiscard]] Shard& lock(std::uint64_t hash) noexcept VIGIL_NO_THREAD_SAFETY_ANALYSIS {
    // acquire: pairs with the release in change_count(); the array is whole.
    for (ShardArray* array = current_.load(std::memory_order_acquire);;) {
      Shard& shard = array->of(hash);
      shard.lock().lock();
      if (shard.forward() == nullptr) [[likely]]
        return shard;
      array = shard.forward();
      shard.lock().unlock();
    }
  }

  // Locks the shards that are responsible for the hashes, each once; returns their array, and
  // them in `locked`. Throws std::bad_alloc, and then holds nothing.
  ShardArray& lock_all(std::span<const std::uint64_t> hashes, std::vector<Shard*>& locked) {
    locked.reserve(hashes.size());
    for (Backoff backoff;; backoff.pause()) {
      // acquire: as in lock().
      ShardArray& array = *current_.load(std::memory_order_acquire);
      locked.clear();
      for (const std::uint64_t hash : hashes) locked.push_back(&array.of(hash));
      std::sort(locked.begin(), locked.end());
      locked.erase(std::unique(locked.begin(), locked.end()), locked.end());
      if (lock_in_order(locked)) return array;
    }
  }

  // Calls use() while all shards are locked and their number stays.
  template <class Use>
  void with_all_locked(Use&& use) VIGIL_NO_THREAD_SAFETY_ANALYSIS {
    const std::lock_guard change(change_lock_);
    ShardArray& array = *current_.load(std::memory_order_relaxed);
    for (std::uint32_t i = 0; i < array.count(); ++i) array.of(i).lock().lock();
    use();
    for (std::uint32_t i = 0; i < array.count(); ++i) array.of(i).lock().unlock();
  }

  // Moves the unlinked nodes of all shards, one after the other, to `to`.
  void hand_over_retired(Retired& to) noexcept VIGIL_NO_THREAD_SAFETY_ANALYSIS {
    for (const auto& slot : arrays_) {
      ShardArray* array = slot.load(std::memory_order_acquire);
      if (array == nullptr) continue;
      for (std::uint32_t i = 0; i < array->count(); ++i) {
        Shard& shard = array->of(i);
        const std::lock_guard guard(shard.lock());
        shard.hand_over_retired(to);
      }
    }
  }

  // Doubles or halves until there are `count` shards. deepen(shard, i, depth) makes every segment
  // of the hashes i modulo the present number at least `depth` deep; what it throws passes through,
  // and then the number of shards is the present one or one on the way.
  template <class Deepen>
  void change_count(std::uint32_t count, Deepen&& deepen) {
    const std::lock_guard change(change_lock_);
    for (;;) {
      ShardArray& from = *current_.load(std::memory_order_relaxed);
      if (from.count() == count) return;
      if (from.count() < count) {
        ShardArray& to = array_of(from.count() * 2);
        prepare(from, to.depth(), deepen);
        for (std::uint32_t i = 0; i < from.count(); ++i) cut(from, to, i);
        current_.store(&to, std::memory_order_release);
      } else {
        ShardArray& to = array_of(from.count() / 2);
        for (std::uint32_t i = 0; i < to.count(); ++i) join(from, to, i);
        current_.store(&to, std::memory_order_release);
      }
    }
  }

  [[nodiscard]] std::uint32_t count() const noexcept {
    return current_.load(std::memory_order_acquire)->count();
  }

  // The sum of a counter over all shards, one after the other.
  [[nodiscard]] std::uint64_t sum(Counter ShardCounters::*counter) const noexcept {
    std::uint64_t total = 0;
    for (const auto& slot : arrays_) {
      ShardArray* array = slot.load(std::memory_order_acquire);
      if (array == nullptr) continue;
      for (std::uint32_t i = 0; i < array->count(); ++i) {
        total += (array->of(i).counters().*counter).get();
      }
    }
    return total;
  }

 private:
  static constexpr std::size_t kArrays = 13;  // for 1, 2, 4 ... kCountMax shards

  // False, and none is locked, if one of them is not live.
  static bool lock_in_order(std::span<Shard* const> shards) noexcept
      VIGIL_NO_THREAD_SAFETY_ANALYSIS {
    for (std::size_t n = 0; n < shards.size(); ++n) {
      shards[n]->lock().lock();
      if (shards[n]->forward() == nullptr) [[likely]]
        continue;
      for (Shard* const shard : shards.first(n + 1)) shard->lock().unlock();
      return false;
    }
    return true;
  }

  // The array for a number of shards, made when first asked for.
  ShardArray& array_of(std::uint32_t count) {
    std::atomic<ShardArray*>& slot = arrays_[static_cast<std::size_t>(std::countr_zero(count))];
    if (slot.load(std::memory_order_relaxed) == nullptr) {
      slot.store(new ShardArray(count), std::memory_order_release);
    }
    return *slot.load(std::memory_order_relaxed);
  }

  template <class Deepen>
  static void prepare(ShardArray& from, std::uint32_t depth,
                      Deepen&& deepen) VIGIL_NO_THREAD_SAFETY_ANALYSIS {
    for (std::uint32_t i = 0; i < from.count(); ++i) {
      Shard& shard = from.of(i);
      const std::lock_guard guard(shard.lock());
      deepen(shard, i, depth);
      shard.set_smallest_depth(depth);
    }
  }

  // from[i] becomes to[i] and to[i + from.count()].
  static void cut(ShardArray& from, ShardArray& to,
                  std::uint32_t i) noexcept VIGIL_NO_THREAD_SAFETY_ANALYSIS {
    Shard& low = to.of(i);
    Shard& high = to.of(i + from.count());
    const std::lock_guard from_guard(from.of(i).lock());
    const std::lock_guard low_guard(low.lock());
    const std::lock_guard high_guard(high.lock());
    hand_over(from.of(i), low, to);
    start(high, to);
  }

  // from[i] and from[i + to.count()] become to[i].
  static void join(ShardArray& from, ShardArray& to,
                   std::uint32_t i) noexcept VIGIL_NO_THREAD_SAFETY_ANALYSIS {
    Shard& low = from.of(i);
    Shard& high = from.of(i + to.count());
    const std::lock_guard low_guard(low.lock());
    const std::lock_guard high_guard(high.lock());
    const std::lock_guard to_guard(to.of(i).lock());
    hand_over(low, to.of(i), to);
    hand_over(high, to.of(i), to);
  }

  static void hand_over(Shard& from, Shard& to, ShardArray& array) noexcept {
    to.absorb(from);
    from.set_forward(&array);
    start(to, array);
  }
  static void start(Shard& shard, const ShardArray& array) noexcept {
    shard.set_smallest_depth(array.depth());
    shard.set_forward(nullptr);
  }

  std::atomic<ShardArray*> current_{nullptr};
  std::array<std::atomic<ShardArray*>, kArrays> arrays_{};
  std::mutex change_lock_;
};

}  // namespace vigil::maps::internal
