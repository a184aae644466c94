// SPDX-License-Identifier: Apache-2.0
//
// Arena and Slab: where entries live.
//
// The Arena reserves one address range (at most 32 GiB) and hands it out in chunks of whole 32 KiB
// units. A Ref, the 32-bit offset in 8-byte granules, names any object in it. The range stays
// mapped for the arena's life, so a reader that follows an outdated Ref reads stale or zero bytes,
// never faults; it notices through the sequence of the bucket that led it there (index.h).
//
// A Slab carves chunks into objects of one size class: every 8 bytes up to 1 KiB, then eight steps
// per doubling (at most 12.5 % waste). Objects over 64 KiB have a chunk of their own. A chunk whose
// last object is freed goes back to the arena, except the last chunk of a class; the arena keeps a
// few free chunks warm and returns the pages of the others to the system.
//
// Thread safety: an Arena may be used from any thread. A Slab belongs to the writer of its shard;
// its objects may be read by anyone through atomic words, which is why the free list links through
// atomic words too.
//
// Complexity: O(1). Memory: 28 bytes of bookkeeping per 32 KiB.
//
// Invariants (Slab::check_invariants): the live count of a chunk is the number of objects handed
// out and not freed; a chunk is on the list of its class exactly if it has room; free objects of a
// chunk lie inside it and are pairwise different.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "vigil/base/spin_lock.h"
#include "vigil/table/reserved_memory.h"

namespace vigil::cache {

using Ref = std::uint32_t;
inline constexpr Ref kNullRef = 0;

inline constexpr std::uint32_t kGranuleBytes = 8;
inline constexpr std::uint32_t kUnitBytes = 32U * 1024;
inline constexpr std::uint32_t kGranulesPerUnit = kUnitBytes / kGranuleBytes;

struct SizeClass {
  std::uint32_t object_bytes;
  std::uint32_t chunk_units;
  std::uint32_t objects;  // per chunk
};

inline constexpr std::uint32_t kSmallBits = 10;
inline constexpr std::uint32_t kSmallBytes = 1U << kSmallBits;
inline constexpr std::uint32_t kSmallClasses = kSmallBytes / kGranuleBytes + 1;
inline constexpr std::uint32_t kStepsPerDoubling = 8;
inline constexpr std::uint32_t kLargestObjectBytes = (1U << 22) + (1U << 17);
inline constexpr std::uint32_t kDoublings = 13;  // from 1 KiB to 8 MiB
inline constexpr std::uint32_t kSizeClasses = kSmallClasses + kDoublings * kStepsPerDoubling;

[[nodiscard]] std::uint32_t large_size_class_of(std::uint32_t bytes);
[[nodiscard]] inline std::uint32_t size_class_of(std::uint32_t bytes) {
  return bytes <= kSmallBytes ? (bytes + kGranuleBytes - 1) / kGranuleBytes
                              : large_size_class_of(bytes);
}
[[nodiscard]] const SizeClass& size_class(std::uint32_t index);

// Neighbours in a doubly linked list of chunks; 0 ends it.
struct ChunkLinks {
  std::uint32_t previous;
  std::uint32_t next;
};

// Bookkeeping of a chunk, kept beside the chunk (one record per unit; objects in later units of a
// chunk find the first through `back`). All zero when the chunk is new.
struct ChunkInfo {
  Ref free_head;
  ChunkLinks room;   // chunks of the same class that have room
  ChunkLinks owned;  // all chunks of the same slab
  std::uint16_t live;
  std::uint16_t fresh;  // objects never handed out start at this index
  std::uint16_t size_class;
  std::uint16_t back;
};

class Arena {
 public:
  // `bytes` is rounded to whole units and capped at what a Ref can name.
  explicit Arena(std::uint64_t bytes);
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  [[nodiscard]] char* at(Ref ref) const {
    return memory_.data() + std::uint64_t{ref} * kGranuleBytes;
  }
  [[nodiscard]] ChunkInfo& info(std::uint32_t unit) const {
    return reinterpret_cast<ChunkInfo*>(infos_.data())[unit];
  }

  // The first unit of a chunk, 0 if the arena is full.
  [[nodiscard]] std::uint32_t acquire(std::uint32_t units);
  void release(std::uint32_t first_unit, std::uint32_t units);

  [[nodiscard]] std::uint64_t used_bytes() const {
    return used_units_.load(std::memory_order_relaxed) * kUnitBytes;
  }

 private:
  struct FreeChunk {
    std::uint32_t first_unit;
    bool warm;  // its pages were not returned
  };

  table::ReservedMemory memory_;
  table::ReservedMemory infos_;
  std::uint32_t unit_limit_;
  std::atomic<std::uint64_t> used_units_{0};
  SpinLock lock_;
  std::uint32_t next_unit_ VIGIL_GUARDED_BY(lock_) = 1;
  std::uint64_t warm_units_ VIGIL_GUARDED_BY(lock_) = 0;
  std::vector<std::vector<FreeChunk>> free_ VIGIL_GUARDED_BY(lock_);  // by unit count
};

class Slab {
 public:
  explicit Slab(Arena& arena) : arena_(arena) {}
  ~Slab() { clear(); }
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  // An object of at least `bytes` bytes, kNullRef if the arena is full. REQUIRES: bytes <=
  // kLargestObjectBytes. The object's content is unspecified.
  [[nodiscard]] Ref allocate(std::uint32_t bytes);
  // REQUIRES: `ref` came from allocate(bytes) for the same size class.
  void free(Ref ref, std::uint32_t bytes);
  // Frees everything at once: O(chunks).
  void clear();

  [[nodiscard]] std::uint64_t object_bytes() const { return object_bytes_; }
  [[nodiscard]] std::uint64_t chunk_bytes() const { return std::uint64_t{units_} * kUnitBytes; }
  void check_invariants() const;

 private:
  // A list of chunks through one of the ChunkLinks of their ChunkInfo.
  using Links = ChunkLinks ChunkInfo::*;

  [[nodiscard]] std::uint32_t first_unit_of(Ref ref) const;
  [[nodiscard]] std::uint32_t add_chunk(std::uint32_t class_index);
  void return_chunk(std::uint32_t unit);
  void push(std::uint32_t& head, Links links, std::uint32_t unit);
  void remove(std::uint32_t& head, Links links, std::uint32_t unit);
  void check_chunk(std::uint32_t unit) const;

  Arena& arena_;
  std::array<std::uint32_t, kSizeClasses> room_{};  // per class: first chunk with room, or 0
  std::uint32_t owned_ = 0;                         // first chunk of all, or 0
  std::uint64_t object_bytes_ = 0;
  std::uint32_t units_ = 0;
};

}  // namespace vigil::cache
