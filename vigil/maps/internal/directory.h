// SPDX-License-Identifier: Apache-2.0
//
// Directory: which segment of a map holds a hash (extendible hashing, Fagin, Nievergelt, Pippenger
// and Strong, ACM TODS 1979). One directory serves all shards.
//
// 2^depth entries, indexed by the low bits of the hash. A segment of depth d <= depth appears in
// the 2^(depth - d) entries that agree with it in the low d bits. The array doubles in place: its
// second half becomes a copy of the first, and then the mask by which readers index it grows. A
// reader with the old mask sees what it would have seen before, until an entry changes. When
// nothing needs the depth any more the mask shrinks and the pages of the second half go back to the
// system.
//
// A reader that finds its key may trust the slot alone. One that misses must know that it looked in
// the right place. For that there is a version for each of kStripes classes of hashes; whatever
// changes the segment of a hash raises the version of its class:
//   W  1 entries                           release
//      2 version                           release
//      3 the old segments' slots freed     release
//   R  a version  b mask  c entry  d groups    acquire, in this order
//      e version again                     relaxed; ordered after d by the acquires
// A reader that misses because of 3 has acquired 3, so e sees 2 and differs from a, unless a was
// already 2, and then b and c saw 1 and all that came before it. (A comparison of the entry alone
// would not do: a segment may be freed and return to the same entry in between.)
//
// Doubling raises all versions between the storing of the mask and the next change of an entry, for
// the sake of a reader that has loaded the old mask and meets a new entry: the half of a split that
// is not its own. Either it loaded the version before, and e differs from a, or b is the new mask.
// Halving raises them between the storing of the mask and the return of the pages, likewise. A
// 64-bit version does not wrap.
//
// Thread safety: now, find and unchanged from any thread; lookup by the holder of the lock of the
// hash's shard; publish_* by the holder of the lock of every shard that the segments belong to
// (entries of other shards may be published at the same time).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <utility>

#include "vigil/base/check.h"
#include "vigil/base/exceptions.h"
#include "vigil/base/spin_lock.h"
#include "vigil/base/thread_annotations.h"
#include "vigil/maps/internal/segment.h"
#include "vigil/table/reserved_memory.h"

namespace vigil::maps::internal {

class Directory {
 public:
  // Deeper, directory and tag would share bits of the hash.
  static constexpr std::uint32_t kDepthMax = 24;
  static constexpr std::uint64_t kStripes = 64;

  // Room for 2^depth_limit entries. Throws std::bad_alloc. REQUIRES: depth_limit <= kDepthMax.
  explicit Directory(std::uint32_t depth_limit) : depth_limit_(depth_limit) {
    Result<table::ReservedMemory> memory =
        table::ReservedMemory::reserve(sizeof(Entry) << depth_limit);
    if (!memory) throw_bad_alloc();
    memory_ = std::move(memory).value();
    entries_ = reinterpret_cast<Entry*>(memory_.data());
  }

  // Starts with 2^depth segments; segment_of(i) is that of the hashes with the low bits i. Call
  // once, before any other member, while no other thread knows the map.
  template <class SegmentOf>
  void start(std::uint32_t depth, SegmentOf&& segment_of) {
    for (std::uint64_t i = 0; i < std::uint64_t{1} << depth; ++i) {
      entries_[i].store(segment_of(i).bits(), std::memory_order_relaxed);
    }
    const Guard guard(lock_);
    depth_ = smallest_depth_ = depth;
    segments_of_depth_[depth] = std::uint64_t{1} << depth;
    mask_.store((std::uint64_t{1} << depth) - 1, std::memory_order_release);
  }

  // --- Readers -------------------------------------------------------------------------------

  [[nodiscard]] std::uint64_t now(std::uint64_t hash) const noexcept {
    return versions_[hash % kStripes].load(std::memory_order_acquire);
  }
  // After halving, a late reader may be sent to Segment(), which has no groups.
  [[nodiscard]] Segment find(std::uint64_t hash) const noexcept {
    const std::uint64_t mask = mask_.load(std::memory_order_acquire);
    return Segment(entries_[hash & mask].load(std::memory_order_acquire));
  }
  [[nodiscard]] bool unchanged(std::uint64_t hash, std::uint64_t version) const noexcept {
    return versions_[hash % kStripes].load(std::memory_order_relaxed) == version;
  }

  // --- The writer ----------------------------------------------------------------------------

  // Nobody else changes the segment, but halving may take the entry away that find() was about to
  // read; then the mask has become smaller.
  [[nodiscard]] Segment lookup(std::uint64_t hash) const noexcept {
    for (;;) {
      const Segment segment = find(hash);
      if (segment != Segment()) [[likely]]
        return segment;
    }
  }

  // Makes room for segments of depth `depth`. Throws std::length_error, and then nothing has
  // changed.
  void deepen_to(std::uint32_t depth) {
    if (depth > depth_limit_) {
      throw_length_error("ShardedMap is full: its directory reached the limit");
    }
    const Guard guard(lock_);
    if (depth_ >= depth) return;
    for (; depth_ < depth; ++depth_) {
      const std::uint64_t size = std::uint64_t{1} << depth_;
      for (std::uint64_t i = 0; i < size; ++i) {
        entries_[size + i].store(entries_[i].load(std::memory_order_relaxed),
                                 std::memory_order_relaxed);
      }
      mask_.store(2 * size - 1, std::memory_order_release);
    }
    raise_versions(0, 0);
  }

  // The segment of `hash` and depth `depth` has become low and high, told apart by bit `depth`.
  // REQUIRES: deepen_to(depth + 1) since `depth` last was the depth of the segment.
  void publish_split(std::uint64_t hash, std::uint32_t depth, Segment low, Segment high) noexcept {
    const Guard guard(lock_);
    const std::uint64_t bit = std::uint64_t{1} << depth;
    store_entries(hash & ~bit, depth + 1, low);
    store_entries(hash | bit, depth + 1, high);
    segments_of_depth_[depth] -= 1;
    segments_of_depth_[depth + 1] += 2;
    raise_versions(hash, depth);
  }

  // The segment of `hash` has been replaced by another.
  void publish_replaced(std::uint64_t hash, std::uint32_t depth, Segment segment) noexcept {
    const Guard guard(lock_);
    store_entries(hash, depth, segment);
    raise_versions(hash, depth);
  }

  // The two segments that share the low `depth` bits of `hash` have become one.
  void publish_merged(std::uint64_t hash, std::uint32_t depth, Segment segment) noexcept {
    const Guard guard(lock_);
    store_entries(hash, depth, segment);
    segments_of_depth_[depth + 1] -= 2;
    segments_of_depth_[depth] += 1;
    raise_versions(hash, depth);
    while (depth_ > smallest_depth_ + 1 && segments_of_depth_[depth_] == 0 &&
           segments_of_depth_[depth_ - 1] == 0) {
      halve();
    }
  }

  [[nodiscard]] std::uint32_t depth_limit() const noexcept { return depth_limit_; }
  [[nodiscard]] std::uint64_t bytes_in_use() const noexcept {
    return (mask_.load(std::memory_order_relaxed) + 1) * sizeof(Entry);
  }
  [[nodiscard]] std::uint64_t size() const noexcept {
    return mask_.load(std::memory_order_relaxed) + 1;
  }

 private:
  using Entry = std::atomic<std::uint32_t>;  // the bits of a Segment

  class VIGIL_SCOPED_CAPABILITY Guard {
   public:
    explicit Guard(SpinLock& lock) noexcept VIGIL_ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
    ~Guard() VIGIL_RELEASE() { lock_.unlock(); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    SpinLock& lock_;
  };

  void store_entries(std::uint64_t hash, std::uint32_t depth, Segment segment) noexcept
      VIGIL_REQUIRES(lock_) {
    const std::uint64_t step = std::uint64_t{1} << depth;
    const std::uint64_t size = std::uint64_t{1} << depth_;
    for (std::uint64_t i = hash & (step - 1); i < size; i += step) {
      entries_[i].store(segment.bits(), std::memory_order_release);
    }
  }

  // Of all classes that contain hashes with the low `depth` bits of `hash`.
  void raise_versions(std::uint64_t hash, std::uint32_t depth) noexcept VIGIL_REQUIRES(lock_) {
    const std::uint64_t step = std::min(kStripes, std::uint64_t{1} << depth);
    for (std::uint64_t i = hash & (step - 1); i < kStripes; i += step) {
      versions_[i].store(versions_[i].load(std::memory_order_relaxed) + 1,
                         std::memory_order_release);
    }
  }

  void halve() noexcept VIGIL_REQUIRES(lock_) {
    --depth_;
    const std::uint64_t size = std::uint64_t{1} << depth_;
    mask_.store(size - 1, std::memory_order_release);
    raise_versions(0, 0);
    memory_.discard(size * sizeof(Entry), size * sizeof(Entry));
  }

  // Readers use these.
  std::atomic<std::uint64_t> mask_{0};
  Entry* entries_ = nullptr;
  alignas(64) std::array<std::atomic<std::uint64_t>, kStripes> versions_{};

  alignas(64) SpinLock lock_;
  std::uint32_t depth_ VIGIL_GUARDED_BY(lock_) = 0;
  std::uint32_t smallest_depth_ VIGIL_GUARDED_BY(lock_) = 0;
  std::array<std::uint64_t, kDepthMax + 1> segments_of_depth_ VIGIL_GUARDED_BY(lock_) = {};
  std::uint32_t depth_limit_;
  table::ReservedMemory memory_;
};

}  // namespace vigil::maps::internal
