// SPDX-License-Identifier: Apache-2.0
//
// Segments: runs of consecutive groups, the unit in which a map grows and shrinks.
//
// A Segment value is what a directory entry holds: number of the first group and a size code. Codes
// up to kLastPlainCode are the number of groups. Those above are runs of whole chunks, 128 groups
// and more, for the rare case that very many keys share one hash value. A key's home group is
// chosen by the high half of its hash (Lemire's multiply-shift), so that a segment need not be a
// power of two; it is searched from the home group on, cyclically. In a run, home groups lie among
// the first 63; its keys have one home group anyway.
//
// SegmentMemory is the map-wide store: reserved address space cut into chunks of 128 groups, whose
// pages are made present many chunks at a time: a page fault costs more than an insert, and so few
// inserts pay for a slice of pages that even the 99.9th percentile does not see it. Not huge pages:
// lookups in a large map would be a tenth faster, but the first touch of one stalls its thread for
// milliseconds.
// SegmentAllocator cuts chunks into segments of one size each. A chunk without segments gives its
// slot pages back to the system and returns to the store, for any allocator and size; its metadata
// is kept, because stale readers rely on sequences that only grow.
//
// Thread safety: SegmentMemory and SegmentAllocator by their own locks. The depth of a segment by
// the lock of its shard. Lock order: shard, allocator, memory.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <utility>

#include "vigil/base/check.h"
#include "vigil/base/exceptions.h"
#include "vigil/base/spin_lock.h"
#include "vigil/base/thread_annotations.h"
#include "vigil/maps/internal/group.h"
#include "vigil/table/reserved_memory.h"

namespace vigil::maps::internal {

class Segment {
 public:
  static constexpr std::uint32_t kLastPlainCode = 48;
  static constexpr std::uint32_t kLastCode = 63;
  static constexpr std::uint32_t kChunkGroups = 128;  // slots of a chunk are whole 4 KiB pages
  static constexpr std::uint32_t kGroupBits = 26;
  static constexpr std::uint64_t kSlotsMax = std::uint64_t{kSlotsPerGroup} << kGroupBits;

  Segment() = default;
  explicit Segment(std::uint32_t bits) noexcept : bits_(bits) {}
  Segment(std::uint32_t first, std::uint32_t code) noexcept : bits_(first << 6 | code) {}

  [[nodiscard]] static constexpr std::uint32_t groups_of(std::uint32_t code) noexcept {
    return code <= kLastPlainCode ? code : kChunkGroups << (code - kLastPlainCode - 1);
  }
  // The code of the smallest segment with at least `groups` groups. Throws std::length_error.
  [[nodiscard]] static std::uint32_t code_for(std::uint64_t groups) {
    if (groups <= kLastPlainCode) return static_cast<std::uint32_t>(groups);
    for (std::uint32_t code = kLastPlainCode + 1; code <= kLastCode; ++code) {
      if (groups_of(code) >= groups) return code;
    }
    throw_length_error("ShardedMap: too many keys share one hash value; use a better Hash");
  }

  [[nodiscard]] std::uint32_t bits() const noexcept { return bits_; }
  [[nodiscard]] std::uint32_t first() const noexcept { return bits_ >> 6; }
  [[nodiscard]] std::uint32_t code() const noexcept { return bits_ & 63; }
  [[nodiscard]] std::uint32_t groups() const noexcept { return groups_of(code()); }
  [[nodiscard]] std::uint32_t end() const noexcept { return first() + groups(); }
  [[nodiscard]] std::uint32_t capacity() const noexcept { return groups() * kSlotsPerGroup; }
  [[nodiscard]] bool operator==(const Segment&) const = default;

  [[nodiscard]] std::uint32_t home(std::uint64_t hash) const noexcept {
    return first() + static_cast<std::uint32_t>((hash >> 32) * code() >> 32);
  }
  [[nodiscard]] std::uint32_t after(std::uint32_t group) const noexcept {
    return group + 1 == end() ? first() : group + 1;
  }

 private:
  std::uint32_t bits_ = 0;
};

class SegmentMemory {
 public:
  static constexpr std::uint32_t kChunkGroups = Segment::kChunkGroups;
  static constexpr std::uint32_t kNoChunk = ~std::uint32_t{0};
  static constexpr std::uint32_t kTouchedChunks = 16;
  // How much is made present at a time, at most: a fifth of a millisecond's work.
  static constexpr std::size_t kSliceBytes = std::size_t{256} << 10;

  // What an allocator keeps about a chunk it owns.
  struct Chunk {
    std::uint64_t free;  // bit i: segment i of the chunk is free
    std::uint32_t next;
    std::uint32_t previous;
    std::uint32_t segment_code;
    std::uint32_t owner;                 // number of the allocator
    std::array<std::uint8_t, 64> depth;  // of segment i in the directory
  };

  // Room for at least `slots` slots of `slot_bytes` each. Throws std::bad_alloc if the address
  // space cannot be had, std::length_error if the format cannot number that many.
  SegmentMemory(std::uint64_t slots, std::size_t slot_bytes)
      : chunk_slot_bytes_(kChunkGroups * kSlotsPerGroup * slot_bytes),
        chunk_limit_(chunks_for(slots)),
        metadata_(reserve(chunk_limit_ * kChunkGroups * std::size_t{16})),
        slots_(reserve(chunk_limit_ * chunk_slot_bytes_)),
        chunks_(reserve(chunk_limit_ * sizeof(Chunk))) {}

  [[nodiscard]] char* metadata() const noexcept { return metadata_.data(); }
  [[nodiscard]] char* slots() const noexcept { return slots_.data(); }
  [[nodiscard]] Chunk& chunk(std::uint32_t id) const noexcept {
    return reinterpret_cast<Chunk*>(chunks_.data())[id];
  }

  // kNoChunk when the reservation is used up.
  [[nodiscard]] std::uint32_t take_chunk() noexcept {
    const Taken taken = take();
    // Without a lock: a thread that takes the next chunk meanwhile faults its pages in one by one.
    make_present(taken.id, taken.absent);
    return taken.id;
  }

  // The first of `count` chunks that lie side by side; kNoChunk when the reservation is used up.
  [[nodiscard]] std::uint32_t take_chunks(std::uint32_t count) noexcept {
    SpinGuard guard(lock_);
    if (chunk_limit_ - used_ < count) return kNoChunk;
    return std::exchange(used_, used_ + count);
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
  struct Taken {
    std::uint32_t id;
    std::uint32_t absent;  // how many chunks from `id` on should be made present
  };
  [[nodiscard]] Taken take() noexcept {
    SpinGuard guard(lock_);
    if (free_ != kNoChunk) {
      --free_count_;
      return {std::exchange(free_, chunk(free_).next), 1};
    }
    if (used_ == chunk_limit_) return {kNoChunk, 0};
    const std::uint32_t id = used_++;
    // The first ones by their first touch, so that a small map stays small.
    if (id < present_ || id < kTouchedChunks) return {id, 0};
    // An eighth of what there is.
    const auto slice = static_cast<std::uint32_t>(kSliceBytes / chunk_slot_bytes_);
    const std::uint32_t count = std::min(std::clamp(id / 8, 1U, slice), chunk_limit_ - id);
    present_ = id + count;
    return {id, count};
  }
  void make_present(std::uint32_t id, std::uint32_t count) noexcept {
    if (count == 0) return;
    slots_.populate(id * chunk_slot_bytes_, count * chunk_slot_bytes_);
    constexpr std::size_t kChunkMetadataBytes = kChunkGroups * std::size_t{16};
    metadata_.populate(id * kChunkMetadataBytes, count * kChunkMetadataBytes);
  }

  static std::uint32_t chunks_for(std::uint64_t slots) {
    constexpr std::uint64_t kChunkSlots = kChunkGroups * kSlotsPerGroup;
    const std::uint64_t chunks = slots / kChunkSlots + 1;
    if (chunks * kChunkGroups > std::uint64_t{1} << Segment::kGroupBits) {
      throw_length_error("ShardedMap: max_entries is over the limit of this format");
    }
    return static_cast<std::uint32_t>(chunks);
  }
  static table::ReservedMemory reserve(std::size_t bytes) {
    Result<table::ReservedMemory> memory = table::ReservedMemory::reserve(bytes);
    if (!memory) throw_bad_alloc();
    return std::move(memory).value();
  }

  std::size_t chunk_slot_bytes_;
  std::uint32_t chunk_limit_;
  table::ReservedMemory metadata_;
  table::ReservedMemory slots_;
  table::ReservedMemory chunks_;
  mutable SpinLock lock_;
  std::uint32_t free_ VIGIL_GUARDED_BY(lock_) = kNoChunk;
  std::uint32_t free_count_ VIGIL_GUARDED_BY(lock_) = 0;
  std::uint32_t used_ VIGIL_GUARDED_BY(lock_) = 0;
  std::uint32_t present_ VIGIL_GUARDED_BY(lock_) = 0;  // chunks from here on were never touched
};

class SegmentAllocator {
 public:
  // `number` tells it from other allocators of the same memory.
  explicit SegmentAllocator(SegmentMemory& memory, std::uint32_t number = 0)
      : memory_(&memory), number_(number) {
    partial_.fill(SegmentMemory::kNoChunk);
  }

  // Throws std::length_error when the map is full. REQUIRES: 2 <= code <= Segment::kLastCode.
  Segment allocate(std::uint32_t code) {
    VIGIL_CHECK(code >= 2 && code <= Segment::kLastCode, "no such segment size");
    const Guard guard(lock_);
    if (code > Segment::kLastPlainCode) return allocate_run(code);
    std::uint32_t& head = partial_[code];
    if (head == SegmentMemory::kNoChunk) start_chunk(code);
    Chunk& chunk = memory_->chunk(head);
    const auto index = static_cast<std::uint32_t>(std::countr_zero(chunk.free));
    const Segment segment(head * SegmentMemory::kChunkGroups + index * code, code);
    chunk.free &= chunk.free - 1;
    if (chunk.free == 0) unlink(head);
    ++segments_;
    return segment;
  }

  // REQUIRES: the segment is this allocator's, all its tags are free and the directory no longer
  // leads there.
  void free(Segment segment) noexcept {
    const Guard guard(lock_);
    --segments_;
    const std::uint32_t id = chunk_of(segment);
    if (segment.code() > Segment::kLastPlainCode) {
      const std::uint32_t count = segment.groups() / SegmentMemory::kChunkGroups;
      for (std::uint32_t n = 0; n < count; ++n) memory_->return_chunk(id + n);
      return;
    }
    Chunk& chunk = memory_->chunk(id);
    if (chunk.free == 0) link(id);
    chunk.free |= std::uint64_t{1} << index_of(segment);
    if (chunk.free == all_free(chunk.segment_code)) {
      unlink(id);
      memory_->return_chunk(id);
    }
  }

  [[nodiscard]] std::uint32_t segments() const noexcept {
    const Guard guard(lock_);
    return segments_;
  }

  // The number of the allocator that a segment came from.
  static std::uint32_t owner(const SegmentMemory& memory, Segment segment) noexcept {
    return memory.chunk(chunk_of(segment)).owner;
  }
  static std::uint32_t depth(const SegmentMemory& memory, Segment segment) noexcept {
    return memory.chunk(chunk_of(segment)).depth[index_of(segment)];
  }
  static void set_depth(const SegmentMemory& memory, Segment segment,
                        std::uint32_t depth) noexcept {
    memory.chunk(chunk_of(segment)).depth[index_of(segment)] = static_cast<std::uint8_t>(depth);
  }

 private:
  using Chunk = SegmentMemory::Chunk;
  using Guard = SpinGuard;

  static std::uint32_t chunk_of(Segment segment) noexcept {
    return segment.first() / SegmentMemory::kChunkGroups;
  }
  static std::uint32_t index_of(Segment segment) noexcept {
    return segment.first() % SegmentMemory::kChunkGroups / segment.code();
  }
  static std::uint64_t all_free(std::uint32_t code) noexcept {
    const std::uint32_t count = SegmentMemory::kChunkGroups / code;
    return ~std::uint64_t{0} >> (64 - count);
  }

  static std::uint32_t checked(std::uint32_t id) {
    if (id == SegmentMemory::kNoChunk) {
      throw_length_error("ShardedMap is full: its max_entries option was reached");
    }
    return id;
  }

  void start_chunk(std::uint32_t code) VIGIL_REQUIRES(lock_) {
    const std::uint32_t id = checked(memory_->take_chunk());
    memory_->chunk(id).free = all_free(code);
    memory_->chunk(id).segment_code = code;
    memory_->chunk(id).owner = number_;
    link(id);
  }

  Segment allocate_run(std::uint32_t code) VIGIL_REQUIRES(lock_) {
    const std::uint32_t id =
        checked(memory_->take_chunks(Segment::groups_of(code) / SegmentMemory::kChunkGroups));
    memory_->chunk(id).owner = number_;
    ++segments_;
    return Segment(id * SegmentMemory::kChunkGroups, code);
  }

  void link(std::uint32_t id) noexcept VIGIL_REQUIRES(lock_) {
    Chunk& chunk = memory_->chunk(id);
    std::uint32_t& head = partial_[chunk.segment_code];
    chunk.previous = SegmentMemory::kNoChunk;
    chunk.next = head;
    if (head != SegmentMemory::kNoChunk) memory_->chunk(head).previous = id;
    head = id;
  }

  void unlink(std::uint32_t id) noexcept VIGIL_REQUIRES(lock_) {
    Chunk& chunk = memory_->chunk(id);
    if (chunk.next != SegmentMemory::kNoChunk) memory_->chunk(chunk.next).previous = chunk.previous;
    if (chunk.previous != SegmentMemory::kNoChunk) {
      memory_->chunk(chunk.previous).next = chunk.next;
    } else {
      partial_[chunk.segment_code] = chunk.next;
    }
  }

  SegmentMemory* memory_;
  std::uint32_t number_;
  mutable SpinLock lock_;
  // Chunks with room, by segment size.
  std::array<std::uint32_t, Segment::kLastPlainCode + 1> partial_ VIGIL_GUARDED_BY(lock_);
  std::uint32_t segments_ VIGIL_GUARDED_BY(lock_) = 0;
};

}  // namespace vigil::maps::internal
