// SPDX-License-Identifier: Apache-2.0
//
// Directory: which segment of a shard holds a hash (extendible hashing, Fagin, Nievergelt,
// Pippenger and Strong, ACM TODS 1979).
//
// 2^depth entries, indexed by the low bits of the hash. A segment of depth d <= depth appears in
// the 2^(depth - d) entries that agree with it in the low d bits. When a segment of full depth
// splits, an array of twice the size takes over; the old one is never written again and never
// freed, so readers may finish in it (all old arrays together are smaller than the current one).
//
// Readers find the array through the root word {array, version, depth}. Every publish() raises the
// version:
//   W  1 entries                          release
//      2 root                             release
//      3 the old segment's slots freed    release
//   R  a root  b entry  c groups          acquire, in this order
//      d root again                       relaxed; ordered after c by the acquires
// A reader that misses because of 3 has acquired 3, so d sees 2 and differs from a, unless a was
// already 2, and then b saw 1. So a miss with an unchanged root is a true miss. (A comparison of
// the entry alone would not do: a segment may be freed and return to the same entry in between.)
// The 28-bit version would have to wrap exactly between a and d.
//
// Thread safety: load_root, lookup and unchanged from any thread, the rest by the holder of the
// shard's lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <utility>

#include "vigil/maps/internal/reserved_memory.h"
#include "vigil/maps/internal/segment.h"

namespace vigil::maps::internal {

// The entry arrays of all shards of a map, packed into one range. Nothing is ever given back.
class DirectoryMemory {
 public:
  using Entry = std::atomic<std::uint32_t>;  // the bits of a Segment

  // Throws std::bad_alloc.
  explicit DirectoryMemory(std::uint64_t entries) : limit_(entries) {
    Result<ReservedMemory> memory = ReservedMemory::reserve(entries * sizeof(Entry));
    if (!memory) throw std::bad_alloc();
    memory_ = std::move(memory).value();
  }

  [[nodiscard]] Entry* entries() const noexcept { return reinterpret_cast<Entry*>(memory_.data()); }
  // Index of the first of `count` fresh entries. Throws std::length_error when used up.
  std::uint64_t take(std::uint64_t count) {
    const std::uint64_t first = used_.fetch_add(count, std::memory_order_relaxed);
    if (first + count > limit_) {
      used_.fetch_sub(count, std::memory_order_relaxed);
      throw std::length_error("ShardedMap is full: its directory reached the limit");
    }
    return first;
  }
  [[nodiscard]] std::uint64_t bytes_in_use() const noexcept {
    return used_.load(std::memory_order_relaxed) * sizeof(Entry);
  }

 private:
  ReservedMemory memory_;
  std::uint64_t limit_;
  std::atomic<std::uint64_t> used_{0};
};

// The root word, taken apart: depth in bits 0..4, version in 5..32, array in 33..63.
class Root {
 public:
  Root(std::uint64_t array, std::uint64_t version, std::uint32_t depth) noexcept
      : bits_(array << 33 | (version & kVersionMask) << 5 | depth) {}
  explicit Root(std::uint64_t bits) noexcept : bits_(bits) {}

  [[nodiscard]] std::uint64_t bits() const noexcept { return bits_; }
  [[nodiscard]] std::uint64_t array() const noexcept { return bits_ >> 33; }
  [[nodiscard]] std::uint64_t version() const noexcept { return bits_ >> 5 & kVersionMask; }
  [[nodiscard]] std::uint32_t depth() const noexcept { return bits_ & 31; }
  [[nodiscard]] std::uint64_t size() const noexcept { return std::uint64_t{1} << depth(); }
  [[nodiscard]] bool operator==(const Root&) const = default;

 private:
  static constexpr std::uint64_t kVersionMask = (std::uint64_t{1} << 28) - 1;

  std::uint64_t bits_;
};

class Directory {
 public:
  static constexpr std::uint32_t kMaxDepth = 26;

  // Sends every hash to `segment`. Call once, before any other member.
  void start(DirectoryMemory& memory, Segment segment) {
    memory_ = &memory;
    entries_ = memory.entries();
    const Root root(memory.take(1), 0, 0);
    entries_[root.array()].store(segment.bits(), std::memory_order_relaxed);
    root_.store(root.bits(), std::memory_order_release);
  }

  // --- Readers -------------------------------------------------------------------------------

  [[nodiscard]] Root load_root() const noexcept {
    return Root(root_.load(std::memory_order_acquire));
  }
  [[nodiscard]] Segment lookup(Root root, std::uint64_t hash) const noexcept {
    const DirectoryMemory::Entry* array = entries_ + root.array();
    return Segment(array[hash & (root.size() - 1)].load(std::memory_order_acquire));
  }
  [[nodiscard]] bool unchanged(Root root) const noexcept {
    return root_.load(std::memory_order_relaxed) == root.bits();
  }

  // --- The writer ----------------------------------------------------------------------------

  [[nodiscard]] Segment find(std::uint64_t hash) const noexcept {
    return lookup(load_root(), hash);
  }

  // A place for the entries after a segment of depth `depth` has split. Throws std::length_error.
  class Room {
    friend class Directory;
    std::uint64_t array_ = 0;
    bool doubled_ = false;
  };
  [[nodiscard]] Room make_room_for_split(std::uint32_t depth) {
    Room room;
    if (depth < load_root().depth()) return room;
    room.array_ = memory_->take(2 * load_root().size());
    room.doubled_ = true;
    return room;
  }

  // The segment of `hash` and depth `depth` has become low and high, told apart by bit `depth`.
  void publish_split(Room room, std::uint64_t hash, std::uint32_t depth, Segment low,
                     Segment high) noexcept {
    Root root = load_root();
    if (room.doubled_) {
      const Root larger(room.array_, root.version(), root.depth() + 1);
      for (std::uint64_t i = 0; i < larger.size(); ++i) {
        entries_[larger.array() + i].store(lookup(root, i).bits(), std::memory_order_relaxed);
      }
      root = larger;  // not visible before publish() stores it
    }
    const std::uint64_t bit = std::uint64_t{1} << depth;
    store_entries(root, hash & ~bit, depth + 1, low);
    store_entries(root, hash | bit, depth + 1, high);
    publish(root);
  }

  // The segments that share the low `depth` bits of `hash` have become `segment`.
  void publish_whole(std::uint64_t hash, std::uint32_t depth, Segment segment) noexcept {
    const Root root = load_root();
    store_entries(root, hash, depth, segment);
    publish(root);
  }

 private:
  void store_entries(Root root, std::uint64_t hash, std::uint32_t depth, Segment segment) noexcept {
    const std::uint64_t step = std::uint64_t{1} << depth;
    for (std::uint64_t i = hash & (step - 1); i < root.size(); i += step) {
      entries_[root.array() + i].store(segment.bits(), std::memory_order_release);
    }
  }
  void publish(Root root) noexcept {
    root_.store(Root(root.array(), root.version() + 1, root.depth()).bits(),
                std::memory_order_release);
  }

  std::atomic<std::uint64_t> root_{0};
  DirectoryMemory::Entry* entries_ = nullptr;
  DirectoryMemory* memory_ = nullptr;
};

}  // namespace vigil::maps::internal
