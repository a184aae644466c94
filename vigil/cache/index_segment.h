// SPDX-License-Identifier: Apache-2.0
//
// Segment: 64 buckets of one index (index.h), and SegmentPool: where the segments of all shards
// come from and go to.
//
// A bucket is one cache line:
//
//     | tags 0..7 | tags 8..11, meta:32 | ref 0 ... ref 11 |
//     meta = sequence:27 overflow:4 closed:1
//
// It is *open* (busy, to a reader) while its writer changes it: the bit says closed, so that a
// bucket of zeros is open.
//
// Segments serve as segments for ever, but their pages come and go: a free segment's page is given
// back to the system, unless the pool keeps it warm. A reader that is late in such a segment finds
// it open, whether it sees the old words (the segment was opened before it was given back) or
// zeros, and starts anew through the directory. It cannot take the next life of a bucket for the
// one it began in: the pool remembers the highest sequence of a segment and starts the next life
// there.
//
// Thread safety: a Bucket has one writer at a time and any number of readers; the pool is for any
// thread.
//
// Memory: a segment is one page; 8 bytes of address and sequence for each free one.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "vigil/base/spin_lock.h"
#include "vigil/cache/arena.h"
#include "vigil/cache/entry.h"
#include "vigil/cache/memory_budget.h"
#include "vigil/table/reserved_memory.h"
#include "vigil/table/tag_group.h"

namespace vigil::cache {

inline constexpr std::uint32_t kBucketSlots = 12;
inline constexpr std::uint32_t kHomeBits = 6;
inline constexpr std::uint32_t kSegmentBuckets = 1U << kHomeBits;
inline constexpr std::uint32_t kSegmentSlots = kBucketSlots * kSegmentBuckets;

using Tags = table::TagGroup<kBucketSlots>;

class alignas(64) Bucket {
 public:
  static constexpr std::uint32_t kClosed = 1;
  static constexpr std::uint32_t kOverflowOne = 2;
  static constexpr std::uint32_t kOverflowMax = 15;  // and more; never counted down again
  static constexpr std::uint32_t kOverflowMask = kOverflowMax * kOverflowOne;
  static constexpr std::uint32_t kSequenceOne = 32;

  // --- Readers ---
  struct Snapshot {
    std::uint32_t meta;
    Tags tags;
    [[nodiscard]] bool busy() const { return (meta & kClosed) == 0; }
    [[nodiscard]] bool overflowed() const { return (meta & kOverflowMask) != 0; }
  };
  [[nodiscard]] Snapshot snapshot() const {
    const std::uint64_t high = words_[1].load(std::memory_order_acquire);
    const std::uint64_t low = words_[0].load(std::memory_order_acquire);
    return {static_cast<std::uint32_t>(high >> 32), Tags(low, high)};
  }
  // Whether the bucket is as it was when `meta` was loaded. All loads in between were acquires.
  [[nodiscard]] bool unchanged(std::uint32_t meta) const {
    return static_cast<std::uint32_t>(words_[1].load(std::memory_order_relaxed) >> 32) == meta;
  }
  [[nodiscard]] Ref ref(std::uint32_t slot) const {
    return refs_[slot].load(std::memory_order_acquire);
  }

  // --- The writer ---
  [[nodiscard]] std::uint32_t meta() const {
    return static_cast<std::uint32_t>(words_[1].load(std::memory_order_relaxed) >> 32);
  }
  [[nodiscard]] Tags tags() const {
    return Tags(words_[0].load(std::memory_order_relaxed),
                words_[1].load(std::memory_order_relaxed));
  }
  [[nodiscard]] std::uint8_t tag(std::uint32_t slot) const {
    return Tags::tag_at(words_.data(), slot);
  }
  [[nodiscard]] bool is_open() const { return (meta() & kClosed) == 0; }
  void open() { store_meta(meta() & ~kClosed, std::memory_order_relaxed); }
  void close() { store_meta((meta() + kSequenceOne) | kClosed, std::memory_order_release); }
  // REQUIRES: open, for the three of them.
  void set(std::uint32_t slot, std::uint8_t tag, Ref ref) {
    refs_[slot].store(ref, std::memory_order_release);
    Tags::store_tag(words_.data(), slot, tag);
  }
  void set_ref(std::uint32_t slot, Ref ref) { refs_[slot].store(ref, std::memory_order_release); }
  void erase(std::uint32_t slot) { Tags::store_tag(words_.data(), slot, Tags::kFree); }
  // An empty bucket, which stays open, with a sequence not below `sequence`.
  void start(std::uint32_t sequence);
  [[nodiscard]] std::uint32_t sequence() const { return meta() / kSequenceOne; }

  void add_overflow() {
    if ((meta() & kOverflowMask) != kOverflowMask) {
      store_meta(meta() + kOverflowOne, std::memory_order_release);
    }
  }
  void remove_overflow() {
    if ((meta() & kOverflowMask) != kOverflowMask) {
      store_meta(meta() - kOverflowOne, std::memory_order_release);
    }
  }
  [[nodiscard]] std::uint32_t overflow() const { return (meta() & kOverflowMask) / kOverflowOne; }

 private:
  void store_meta(std::uint32_t meta, std::memory_order order) {
    const std::uint64_t tags = words_[1].load(std::memory_order_relaxed) & 0xFFFFFFFFU;
    words_[1].store(tags | std::uint64_t{meta} << 32, order);
  }

  std::array<Word, 2> words_;
  std::array<std::atomic<Ref>, kBucketSlots> refs_;
};
static_assert(sizeof(Bucket) == 64);

struct Segment {
  std::array<Bucket, kSegmentBuckets> buckets;
};
static_assert(sizeof(Segment) == kPageBytes);

class SegmentPool {
 public:
  static constexpr std::uint32_t kSegmentsReserved = 1U << 22;  // 16 GiB of addresses
  static constexpr std::uint64_t kWarmMax = 256;                // 1 MiB

  explicit SegmentPool(MemoryBudget& budget);
  SegmentPool(const SegmentPool&) = delete;
  SegmentPool& operator=(const SegmentPool&) = delete;

  // An empty segment whose buckets are open, nullptr if there is no memory.
  [[nodiscard]] Segment* take(Need need);
  // The same, beyond the limit if need be; aborts if the addresses are used up.
  [[nodiscard]] Segment* take_anyway();
  // REQUIRES: every bucket is open.
  void give_back(Segment* segment);

  // In which era the entry in this slot was last used (eviction.h). Bytes of their own beside the
  // segments, so that readers may write them; they take memory where they are written.
  [[nodiscard]] std::atomic<std::uint8_t>& last_use(const Bucket& bucket,
                                                    std::uint32_t slot) const {
    const auto at =
        static_cast<std::size_t>(reinterpret_cast<const char*>(&bucket) - memory_.data());
    return reinterpret_cast<std::atomic<std::uint8_t>*>(
        uses_.data())[at / sizeof(Bucket) * kUsesPerBucket + slot];
  }

 private:
  struct Free {
    std::uint32_t number;
    std::uint32_t sequence;  // no bucket of it had a higher one
  };

  [[nodiscard]] Segment* take_charged();
  [[nodiscard]] Segment& at(std::uint32_t number) const {
    return reinterpret_cast<Segment*>(memory_.data())[number];
  }

  static constexpr std::size_t kUsesPerBucket = 16;  // of which kBucketSlots are used

  MemoryBudget& budget_;
  table::ReservedMemory memory_;
  table::ReservedMemory uses_;
  SpinLock lock_;
  std::uint32_t next_ VIGIL_GUARDED_BY(lock_) = 0;  // never used from here on
  std::vector<Free> warm_ VIGIL_GUARDED_BY(lock_);
  std::vector<Free> cold_ VIGIL_GUARDED_BY(lock_);  // their pages were given back
};

}  // namespace vigil::cache
