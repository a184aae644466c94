// SPDX-License-Identifier: Apache-2.0
//
// Segments: runs of 2 to 63 consecutive groups, the unit in which a shard grows and shrinks.
//
// A Segment value is what a directory entry holds: number of the first group and number of groups.
// A key's home group is chosen by the high half of its hash (Lemire's multiply-shift), so that a
// segment need not be a power of two; it is searched from the home group on, cyclically.
//
// SegmentMemory is the map-wide store: reserved address space cut into chunks of 128 groups.
// SegmentAllocator belongs to one shard and cuts its chunks into segments of one size each. A
// chunk without segments gives its slot pages back to the system and returns to the store, for any
// shard and size; its metadata is kept, because stale readers rely on sequences that only grow.
//
// Thread safety: SegmentMemory by its own lock (taken while a shard's lock is held, never the
// other way round); a SegmentAllocator by the lock of its shard.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <utility>

#include "vigil/base/check.h"
#include "vigil/base/spin_lock.h"
#include "vigil/base/thread_annotations.h"
#include "vigil/maps/internal/group.h"
#include "vigil/maps/internal/reserved_memory.h"

namespace vigil::maps::internal {

class Segment {
 public:
  static constexpr std::uint32_t kMaxGroups = 63;
  static constexpr std::uint32_t kGroupBits = 26;

  Segment() = default;
  explicit Segment(std::uint32_t bits) noexcept : bits_(bits) {}
  Segment(std::uint32_t first, std::uint32_t groups) noexcept : bits_(first << 6 | groups) {}

  [[nodiscard]] std::uint32_t bits() const noexcept { return bits_; }
  [[nodiscard]] std::uint32_t first() const noexcept { return bits_ >> 6; }
  [[nodiscard]] std::uint32_t groups() const noexcept { return bits_ & 63; }
  [[nodiscard]] std::uint32_t end() const noexcept { return first() + groups(); }
  [[nodiscard]] std::uint32_t capacity() const noexcept { return groups() * kSlotsPerGroup; }
  [[nodiscard]] bool operator==(const Segment&) const = default;

  [[nodiscard]] std::uint32_t home(std::uint64_t hash) const noexcept {
    return first() + static_cast<std::uint32_t>((hash >> 32) * groups() >> 32);
  }
  [[nodiscard]] std::uint32_t after(std::uint32_t group) const noexcept {
    return group + 1 == end() ? first() : group + 1;
  }

 private:
  std::uint32_t bits_ = 0;
};

class SegmentMemory {
 public:
  static constexpr std::uint32_t kChunkGroups = 128;  // slots of a chunk are whole 4 KiB pages
  static constexpr std::uint32_t kNoChunk = ~std::uint32_t{0};
  // A small map stays on small pages; beyond that, huge pages take the page faults off insert.
  static constexpr std::size_t kSmallPagesBytes = std::size_t{4} << 20;

  // What an allocator keeps about a chunk it owns.
  struct Chunk {
    std::uint64_t free;  // bit i: segment i of the chunk is free
    std::uint32_t next;
    std::uint32_t previous;
    std::uint32_t segment_groups;
    std::array<std::uint8_t, 64> depth;  // of segment i in the directory
  };

  // Room for at least `slots` slots of `slot_bytes` each. Throws std::bad_alloc if the address
  // space cannot be had, std::length_error if the format cannot number that many.
  SegmentMemory(std::uint64_t slots, std::size_t slot_bytes)
      : chunk_slot_bytes_(kChunkGroups * kSlotsPerGroup * slot_bytes),
        chunk_limit_(chunks_for(slots)),
        metadata_(reserve(chunk_limit_ * kChunkGroups * std::size_t{16})),
        slots_(reserve(chunk_limit_ * chunk_slot_bytes_)),
        chunks_(reserve(chunk_limit_ * sizeof(Chunk))) {
    slots_.advise_huge_pages(kSmallPagesBytes);
    metadata_.advise_huge_pages(kSmallPagesBytes);
  }

  [[nodiscard]] char* metadata() const noexcept { return metadata_.data(); }
  [[nodiscard]] char* slots() const noexcept { return slots_.data(); }
  [[nodiscard]] Chunk& chunk(std::uint32_t id) const noexcept {
    return reinterpret_cast<Chunk*>(chunks_.data())[id];
  }

  // kNoChunk when the reservation is used up.
  [[nodiscard]] std::uint32_t take_chunk() noexcept {
    SpinGuard guard(lock_);
    if (free_ != kNoChunk) {
      --free_count_;
      return std::exchange(free_, chunk(free_).next);
    }
    return used_ == chunk_limit_ ? kNoChunk : used_++;
  }

  // REQUIRES: every tag in the chunk is free and the directory no longer leads there.
  void return_chunk(std::uint32_t id) noexcept {
    slots_.discard(id * chunk_slot_bytes_, chunk_slot_bytes_);
    SpinGuard guard(lock_);
    chunk(id).next = std::exchange(free_, id);
    ++free_count_;
  }

  // Bytes of the chunks that shards hold now.
  [[nodiscard]] std::uint64_t bytes_in_use() const noexcept {
    SpinGuard guard(lock_);
    return (used_ - free_count_) *
           (chunk_slot_bytes_ + kChunkGroups * std::uint64_t{16} + sizeof(Chunk));
  }

 private:
  class VIGIL_SCOPED_CAPABILITY SpinGuard {
   public:
    explicit SpinGuard(SpinLock& lock) noexcept VIGIL_ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
    ~SpinGuard() VIGIL_RELEASE() { lock_.unlock(); }
    SpinGuard(const SpinGuard&) = delete;
    SpinGuard& operator=(const SpinGuard&) = delete;

   private:
    SpinLock& lock_;
  };

  static std::uint32_t chunks_for(std::uint64_t slots) {
    constexpr std::uint64_t kChunkSlots = kChunkGroups * kSlotsPerGroup;
    const std::uint64_t chunks = slots / kChunkSlots + 1;
    if (chunks * kChunkGroups > std::uint64_t{1} << Segment::kGroupBits) {
      throw std::length_error("ShardedMap: max_entries is over the limit of this format");
    }
    return static_cast<std::uint32_t>(chunks);
  }
  static ReservedMemory reserve(std::size_t bytes) {
    Result<ReservedMemory> memory = ReservedMemory::reserve(bytes);
    if (!memory) throw std::bad_alloc();
    return std::move(memory).value();
  }

  std::size_t chunk_slot_bytes_;
  std::uint32_t chunk_limit_;
  ReservedMemory metadata_;
  ReservedMemory slots_;
  ReservedMemory chunks_;
  mutable SpinLock lock_;
  std::uint32_t free_ VIGIL_GUARDED_BY(lock_) = kNoChunk;
  std::uint32_t free_count_ VIGIL_GUARDED_BY(lock_) = 0;
  std::uint32_t used_ VIGIL_GUARDED_BY(lock_) = 0;
};

class SegmentAllocator {
 public:
  explicit SegmentAllocator(SegmentMemory& memory) : memory_(&memory) {
    partial_.fill(SegmentMemory::kNoChunk);
  }

  // Throws std::length_error when the map is full. REQUIRES: 2 <= groups <= Segment::kMaxGroups.
  Segment allocate(std::uint32_t groups) {
    VIGIL_CHECK(groups >= 2 && groups <= Segment::kMaxGroups, "no such segment size");
    std::uint32_t& head = partial_[groups];
    if (head == SegmentMemory::kNoChunk) start_chunk(groups);
    Chunk& chunk = memory_->chunk(head);
    const auto index = static_cast<std::uint32_t>(std::countr_zero(chunk.free));
    const Segment segment(head * SegmentMemory::kChunkGroups + index * groups, groups);
    chunk.free &= chunk.free - 1;
    if (chunk.free == 0) unlink(head);
    ++segments_;
    return segment;
  }

  // REQUIRES: all tags of the segment are free and the directory no longer leads there.
  void free(Segment segment) noexcept {
    const std::uint32_t id = chunk_of(segment);
    Chunk& chunk = memory_->chunk(id);
    if (chunk.free == 0) link(id);
    chunk.free |= std::uint64_t{1} << index_of(segment);
    --segments_;
    if (chunk.free == all_free(chunk.segment_groups)) {
      unlink(id);
      memory_->return_chunk(id);
    }
  }

  [[nodiscard]] std::uint32_t depth(Segment segment) const noexcept {
    return memory_->chunk(chunk_of(segment)).depth[index_of(segment)];
  }
  void set_depth(Segment segment, std::uint32_t depth) noexcept {
    memory_->chunk(chunk_of(segment)).depth[index_of(segment)] = static_cast<std::uint8_t>(depth);
  }
  [[nodiscard]] std::uint32_t segments() const noexcept { return segments_; }

 private:
  using Chunk = SegmentMemory::Chunk;

  static std::uint32_t chunk_of(Segment segment) noexcept {
    return segment.first() / SegmentMemory::kChunkGroups;
  }
  static std::uint32_t index_of(Segment segment) noexcept {
    return segment.first() % SegmentMemory::kChunkGroups / segment.groups();
  }
  static std::uint64_t all_free(std::uint32_t groups) noexcept {
    const std::uint32_t count = SegmentMemory::kChunkGroups / groups;
    return ~std::uint64_t{0} >> (64 - count);
  }

  void start_chunk(std::uint32_t groups) {
    const std::uint32_t id = memory_->take_chunk();
    if (id == SegmentMemory::kNoChunk) {
      throw std::length_error("ShardedMap is full: its max_entries option was reached");
    }
    memory_->chunk(id).free = all_free(groups);
    memory_->chunk(id).segment_groups = groups;
    link(id);
  }

  void link(std::uint32_t id) noexcept {
    Chunk& chunk = memory_->chunk(id);
    std::uint32_t& head = partial_[chunk.segment_groups];
    chunk.previous = SegmentMemory::kNoChunk;
    chunk.next = head;
    if (head != SegmentMemory::kNoChunk) memory_->chunk(head).previous = id;
    head = id;
  }

  void unlink(std::uint32_t id) noexcept {
    Chunk& chunk = memory_->chunk(id);
    if (chunk.next != SegmentMemory::kNoChunk) memory_->chunk(chunk.next).previous = chunk.previous;
    if (chunk.previous != SegmentMemory::kNoChunk) {
      memory_->chunk(chunk.previous).next = chunk.next;
    } else {
      partial_[chunk.segment_groups] = chunk.next;
    }
  }

  SegmentMemory* memory_;
  std::array<std::uint32_t, Segment::kMaxGroups + 1> partial_;  // chunks with room, by segment size
  std::uint32_t segments_ = 0;
};

}  // namespace vigil::maps::internal
