// SPDX-License-Identifier: Apache-2.0
//
// Shard: an independent part of a ShardedMap: a writer lock, a directory of segments, counters and
// the nodes that wait for their last reader. It knows slots as words and keys through a KeyCodec;
// values, deadlines and the public operations are the business of sharded_map.h.
//
// Growth moves one segment at a time. rebuild() copies the entries of a segment (or of two that
// merge) into fresh ones, publishes those in the directory and frees the slots of the old ones, all
// under the lock. So at every moment a slot with a tag holds the current value of its key, be its
// segment current or about to be freed, and a reader that finds the key may trust the slot alone.
// Only a reader that does not find it has to ask the directory whether it looked in the right place
// (directory.h). Everything that can throw happens before the first slot is touched.
//
// Shards fill at one pace, so segments of one size would all split at once. Their full sizes
// therefore differ from shard to shard, 6 to 11 groups: an octave in even steps ("spiral"), and
// growth is spread over the whole time in which the map doubles.
//
// Readers: read(). Everything else REQUIRES lock().
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <stdexcept>

#include "vigil/base/check.h"
#include "vigil/base/spin_lock.h"
#include "vigil/maps/internal/directory.h"
#include "vigil/maps/internal/group.h"
#include "vigil/maps/internal/node.h"
#include "vigil/maps/internal/segment.h"

namespace vigil::maps::internal {

// A number written by the holder of a lock and read by anybody.
class Counter {
 public:
  void add(std::uint64_t n) noexcept { value_.store(get() + n, std::memory_order_relaxed); }
  void subtract(std::uint64_t n) noexcept { value_.store(get() - n, std::memory_order_relaxed); }
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
  Counter limbo;  // nodes that wait for readers or for a write to destroy them
};

template <class KeyCodec, class Layout>
class alignas(64) Shard {
 public:
  using Words = SlotWords<Layout>;
  using Probe = typename KeyCodec::Probe;

  static constexpr std::uint32_t kSmallestFullGroups = 6;
  static constexpr std::uint32_t kFullSizes = 6;
  static constexpr std::uint32_t kProbedGroups = 3;  // of a segment that can still split

  // Where an entry lies; valid until the next change of the shard.
  struct Place {
    Segment segment;
    std::uint32_t group = 0;
    std::uint32_t index = 0;
    std::uint64_t hash = 0;
  };

  // Call once, before any other member.
  void start(std::uint32_t number, const KeyCodec& codec, SegmentMemory& memory,
             DirectoryMemory& directory_memory, std::uint32_t depth_limit) {
    codec_ = &codec;
    groups_ = Groups<Layout>(memory.metadata(), memory.slots());
    allocator_.emplace(memory);
    full_groups_ = kSmallestFullGroups + number % kFullSizes;
    depth_limit_ = depth_limit;
    const Segment first = allocate(smallest_groups());
    allocator_->set_depth(first, 0);
    directory_.start(directory_memory, first);
  }

  // --- Readers -------------------------------------------------------------------------------

  void prefetch(std::uint64_t hash) const noexcept {
    groups_.prefetch(directory_.find(hash).home(hash));
  }

  // Copies the slot of the key; false if there is none. Only the words from the deadline on are
  // filled unless probe.needs_confirm().
  [[nodiscard]] bool read(const Probe& probe, Words& words) const {
    Backoff backoff;
    for (;;) {
      const Root root = directory_.load_root();
      switch (search(directory_.lookup(root, probe.hash()), probe, words)) {
        case Search::kFound:
          return true;
        case Search::kAbsent:
          if (directory_.unchanged(root)) [[likely]]
            return false;
          break;
        case Search::kInterrupted:
          backoff.pause();
          break;
      }
    }
  }

  [[nodiscard]] const ShardCounters& counters() const noexcept { return counters_; }

  // --- The writer: single entries ------------------------------------------------------------

  [[nodiscard]] SpinLock& lock() const noexcept { return lock_; }

  [[nodiscard]] std::optional<Place> find(const Probe& probe) const {
    const std::uint64_t hash = probe.hash();
    const Segment segment = directory_.find(hash);
    std::uint32_t group = segment.home(hash);
    for (std::uint32_t n = 0; n < segment.groups(); ++n, group = segment.after(group)) {
      const auto view = groups_.load_view(group);
      for (const std::uint32_t index : view.tags.match(tag_of(hash))) {
        if (!probe.may_match(groups_.slot(group, index))) continue;
        if (probe.needs_confirm() && !probe.confirm(groups_.read_slot(group, index).data())) {
          continue;
        }
        return Place{segment, group, index, hash};
      }
      if (view.control.overflow() == 0) break;
    }
    return std::nullopt;
  }

  [[nodiscard]] Words words(const Place& place) const noexcept {
    return groups_.read_slot(place.group, place.index);
  }

  // Adds an entry. REQUIRES: the key is absent. Throws what Hash throws, or std::length_error when
  // the map is full; then nothing has changed.
  void insert(std::uint64_t hash, const Words& words) {
    for (;;) {
      const Segment segment = directory_.find(hash);
      const bool can_split = segment.groups() <= full_groups_;
      const std::uint32_t reach =
          can_split ? std::min(kProbedGroups, segment.groups()) : segment.groups();
      if (try_put(segment, reach, hash, words)) break;
      grow(segment, hash);
    }
    counters_.entries.add(1);
    count_deadline(words, +1);
  }

  // Replaces deadline and value, or the value alone.
  void replace(const Place& place, const Words& words) noexcept {
    count_deadline(this->words(place), -1);
    groups_.overwrite(place.group, place.index, Layout::kKeyWords, words.data() + Layout::kKeyWords,
                      Layout::kSlotWords - Layout::kKeyWords);
    count_deadline(words, +1);
  }
  void replace_value(const Place& place, const std::uint64_t* value) noexcept {
    groups_.overwrite(place.group, place.index, Layout::kValueAt, value, Layout::kValueWords);
  }

  // Removes an entry; its nodes are the caller's to retire. May merge or shrink segments.
  void erase(const Place& place) noexcept {
    count_deadline(words(place), -1);
    groups_.vacate(place.group, place.index);
    for (std::uint32_t g = place.segment.home(place.hash); g != place.group;
         g = place.segment.after(g)) {
      groups_.remove_overflow(g);
    }
    counters_.entries.subtract(1);
    if (!groups_.load_view(place.group).tags.match_used()) shrink(place.hash);
  }

  // Hands an unlinked node to the limbo; nullptr is ignored.
  void retire(Node* node) noexcept {
    if (node == nullptr) return;
    if (limbo_.retire(node)) advance_due_ = true;
    counters_.limbo.add(1);
  }
  // To be destroyed after the lock was released.
  [[nodiscard]] Garbage take_garbage() noexcept { return sweep_limbo(limbo_.take_some()); }
  [[nodiscard]] Garbage take_all_garbage() noexcept { return sweep_limbo(limbo_.take_all_ready()); }
  // Whether the epoch should be advanced, after the lock was released; clears the wish.
  [[nodiscard]] bool take_advance_due() noexcept { return std::exchange(advance_due_, false); }
  void count_expired() noexcept { counters_.expired.add(1); }

  // --- The writer: whole segments ------------------------------------------------------------

  // Positions run over the hashes of a shard in the order of their reversed low 32 bits, in which
  // a segment is one interval, whatever splits and merges happen between two calls.
  static constexpr std::uint64_t kEnd = std::uint64_t{1} << 32;

  // Calls visit(place) for every entry from `position` to the end of its segment; returns the
  // position of the next segment. `visit` must not change the shard.
  template <class Visit>
  std::uint64_t for_segment_at(std::uint64_t position, Visit&& visit) const {
    const std::uint64_t hash = reverse(position);
    const Segment segment = directory_.find(hash);
    const std::uint64_t span = kEnd >> allocator_->depth(segment);
    const std::uint64_t begin = position & ~(span - 1);
    for_each_used(segment, [&](std::uint32_t group, std::uint32_t index) {
      const std::uint64_t h = codec_->stored_hash(groups_.read_slot(group, index).data());
      if (reverse(h) >= position) visit(Place{segment, group, index, h});
    });
    return begin + span;
  }

  // Removes what lies in the segment at `position`, calling drop(words) for every entry that was
  // removed; returns the position of the next segment.
  template <class Drop>
  std::uint64_t clear_segment_at(std::uint64_t position, Drop&& drop) noexcept {
    const std::uint64_t hash = reverse(position);
    const Segment segment = directory_.find(hash);
    const std::uint64_t span = kEnd >> allocator_->depth(segment);
    const std::uint64_t next = (position & ~(span - 1)) + span;
    std::array<std::uint16_t, Segment::kMaxGroups> used{};
    for (std::uint32_t g = 0; g < segment.groups(); ++g) {
      const std::uint32_t group = segment.first() + g;
      used[g] = static_cast<std::uint16_t>(groups_.load_view(group).tags.match_used().bits());
      groups_.vacate_all(group);
      for (const std::uint32_t index : BitMask(used[g])) {
        const Words words = groups_.read_slot(group, index);
        count_deadline(words, -1);
        counters_.entries.subtract(1);
        drop(words);
      }
    }
    shrink(hash);
    return next;
  }

  // Splits the segment at `position` if that is needed to hold `entries` in the whole shard;
  // returns the position to go on from. Throws like insert().
  std::uint64_t reserve_at(std::uint64_t position, std::uint64_t entries) {
    const std::uint64_t hash = reverse(position);
    const Segment segment = directory_.find(hash);
    const std::uint32_t depth = allocator_->depth(segment);
    const std::uint64_t room = std::uint64_t{full_capacity()} * 2 / 3 << depth;
    const bool small = segment.groups() < full_groups_ && entries > segment.capacity() / 2;
    const bool deepen = room < entries && depth < depth_limit_;
    if (small || deepen) {
      Hashes hashes;
      collect_hashes(segment, hashes);
      if (small) {
        resize(segment, hashes, hash, full_groups_);
      } else {
        split(segment, hashes, hash);
      }
      return position;
    }
    const std::uint64_t span = kEnd >> depth;
    return (position & ~(span - 1)) + span;
  }

  // The invariants of one segment and its directory entries; returns the next position.
  std::uint64_t check_segment_at(std::uint64_t position, std::uint64_t& entries,
                                 std::uint64_t& with_deadline) const;
  [[nodiscard]] std::uint32_t allocated_segments() const noexcept { return allocator_->segments(); }

 private:
  enum class Search : std::uint8_t { kFound, kAbsent, kInterrupted };

  // The hashes of the entries that rebuild() moves, in its order.
  struct Hashes {
    std::uint32_t size = 0;
    std::array<std::uint64_t, (Segment::kMaxGroups + 1) * kSlotsPerGroup> values;
  };

  [[nodiscard]] Search search(Segment segment, const Probe& probe, Words& words) const {
    const std::uint64_t hash = probe.hash();
    std::uint32_t group = segment.home(hash);
    for (std::uint32_t n = 0; n < segment.groups(); ++n, group = segment.after(group)) {
      const auto view = groups_.load_view(group);
      for (const std::uint32_t index : view.tags.match(tag_of(hash))) {
        const Word* slot = groups_.slot(group, index);
        if (!probe.may_match(slot)) continue;
#pragma GCC unroll 8
        for (std::uint32_t i = probe.needs_confirm() ? 0 : Layout::kKeyWords;
             i < Layout::kSlotWords; ++i) {
          words[i] = slot[i].load(std::memory_order_acquire);
        }
        if (view.control.writing() || !groups_.still_at(group, view.control)) {
          return Search::kInterrupted;
        }
        if (probe.needs_confirm() && !probe.confirm(words.data())) continue;
        return Search::kFound;
      }
      if (view.control.overflow() == 0) [[likely]]
        break;
    }
    return Search::kAbsent;
  }

  static std::uint64_t reverse(std::uint64_t bits) noexcept {
    auto b = static_cast<std::uint32_t>(bits);
    b = (b >> 1 & 0x55555555U) | (b & 0x55555555U) << 1;
    b = (b >> 2 & 0x33333333U) | (b & 0x33333333U) << 2;
    b = (b >> 4 & 0x0F0F0F0FU) | (b & 0x0F0F0F0FU) << 4;
    return __builtin_bswap32(b);
  }

  [[nodiscard]] std::uint32_t smallest_groups() const noexcept {
    return std::max(2U, full_groups_ / 4);
  }
  [[nodiscard]] std::uint32_t full_capacity() const noexcept {
    return full_groups_ * kSlotsPerGroup;
  }

  void count_deadline(const Words& words, int change) noexcept {
    if constexpr (Layout::kHasDeadline) {
      if (words[Layout::kDeadlineAt] == 0) return;
      counters_.with_deadline.add(static_cast<std::uint64_t>(std::int64_t{change}));
    }
  }

  Garbage sweep_limbo(Garbage garbage) noexcept {
    counters_.limbo.add(limbo_.size() - counters_.limbo.get());
    return garbage;
  }

  // --- Growing and shrinking -----------------------------------------------------------------

  Segment allocate(std::uint32_t groups) {
    const Segment segment = allocator_->allocate(groups);
    counters_.segments.add(1);
    counters_.groups.add(groups);
    return segment;
  }
  void free(Segment segment) noexcept {
    allocator_->free(segment);
    counters_.segments.subtract(1);
    counters_.groups.subtract(segment.groups());
  }

  // Puts the entry into the first of `reach` groups with a free slot.
  bool try_put(Segment segment, std::uint32_t reach, std::uint64_t hash,
               const Words& words) noexcept {
    const std::uint32_t home = segment.home(hash);
    std::uint32_t group = home;
    for (; reach != 0; --reach, group = segment.after(group)) {
      const BitMask free_slots = groups_.load_view(group).tags.match_free();
      if (!free_slots) continue;
      for (std::uint32_t g = home; g != group; g = segment.after(g)) groups_.add_overflow(g);
      groups_.fill(group, free_slots.first(), tag_of(hash), words);
      return true;
    }
    return false;
  }

  template <class Visit>
  void for_each_used(Segment segment, Visit&& visit) const {
    for (std::uint32_t group = segment.first(); group != segment.end(); ++group) {
      for (const std::uint32_t index : groups_.load_view(group).tags.match_used()) {
        visit(group, index);
      }
    }
  }
  [[nodiscard]] std::uint32_t used_slots(Segment segment) const noexcept {
    std::uint32_t used = 0;
    for (std::uint32_t group = segment.first(); group != segment.end(); ++group) {
      used += groups_.load_view(group).tags.match_used().count();
    }
    return used;
  }

  void collect_hashes(Segment segment, Hashes& hashes) const {
    for_each_used(segment, [&](std::uint32_t group, std::uint32_t index) {
      hashes.values[hashes.size++] = codec_->stored_hash(groups_.read_slot(group, index).data());
    });
  }

  // Makes room in the segment of `hash`.
  void grow(Segment segment, std::uint64_t hash) {
    Hashes hashes;
    collect_hashes(segment, hashes);
    if (segment.groups() < full_groups_) {
      resize(segment, hashes, hash, std::min(full_groups_, 2 * segment.groups()));
    } else if (separable(segment, hashes)) {
      split(segment, hashes, hash);
    } else if (segment.groups() < Segment::kMaxGroups) {
      resize(segment, hashes, hash, std::min(Segment::kMaxGroups, 2 * segment.groups()));
    } else {
      throw std::length_error(
          "ShardedMap: more than 700 keys share one hash value; use a better Hash");
    }
  }

  // Whether splitting, perhaps repeatedly, would part the segment's entries.
  [[nodiscard]] bool separable(Segment segment, const Hashes& hashes) const {
    std::uint64_t difference = 0;
    for (std::uint32_t i = 1; i < hashes.size; ++i) {
      difference |= hashes.values[i] ^ hashes.values[0];
    }
    const std::uint64_t directory_bits = (std::uint64_t{1} << depth_limit_) - 1;
    return (difference & directory_bits) >> allocator_->depth(segment) != 0;
  }

  // A segment size that holds `entries` and as many more as a fresh segment should take.
  [[nodiscard]] std::uint32_t groups_for(std::uint32_t entries) const noexcept {
    if (entries <= full_capacity()) return full_groups_;
    return std::min(Segment::kMaxGroups, entries / kSlotsPerGroup + 1 + full_groups_ / 2);
  }

  void resize(Segment segment, const Hashes& hashes, std::uint64_t hash, std::uint32_t groups) {
    const Segment target = allocate(groups);
    const std::uint32_t depth = allocator_->depth(segment);
    copy_entries({segment}, hashes, target, target, 0);
    allocator_->set_depth(target, depth);
    directory_.publish_whole(hash, depth, target);
    discard(segment);
    counters_.resizes.add(1);
  }

  void split(Segment segment, const Hashes& hashes, std::uint64_t hash) {
    const std::uint32_t depth = allocator_->depth(segment);
    const std::uint64_t bit = std::uint64_t{1} << depth;
    const auto end = hashes.values.begin() + hashes.size;
    const auto in_high = static_cast<std::uint32_t>(std::count_if(
        hashes.values.begin(), end, [bit](std::uint64_t h) { return (h & bit) != 0; }));

    const Directory::Room room = directory_.make_room_for_split(depth);
    const Segment low = allocate(groups_for(hashes.size - in_high));
    Segment high;
    try {
      high = allocate(groups_for(in_high));
    } catch (...) {
      free(low);
      throw;
    }
    copy_entries({segment}, hashes, low, high, bit);
    allocator_->set_depth(low, depth + 1);
    allocator_->set_depth(high, depth + 1);
    directory_.publish_split(room, hash, depth, low, high);
    discard(segment);
    counters_.splits.add(1);
  }

  // Merges and shrinks the segment of `hash` as long as it is far too large. The entry that made it
  // so is already gone: a failure here (no memory, a Hash that throws) only leaves it large.
  void shrink(std::uint64_t hash) noexcept {
    try {
      while (merge_with_buddy(hash)) {
      }
      const Segment segment = directory_.find(hash);
      const std::uint32_t smaller =
          segment.groups() > full_groups_ ? full_groups_ : segment.groups() / 2;
      const bool may_be_small = segment.groups() > full_groups_ || allocator_->depth(segment) == 0;
      if (may_be_small && smaller >= smallest_groups() &&
          used_slots(segment) <= sparse(smaller * kSlotsPerGroup)) {
        Hashes hashes;
        collect_hashes(segment, hashes);
        resize(segment, hashes, hash, smaller);
      }
    } catch (...) {
    }
  }
  // The fill below which it pays to shrink; well below the half that a split leaves.
  static constexpr std::uint32_t sparse(std::uint32_t capacity) noexcept {
    return capacity * 3 / 8;
  }

  bool merge_with_buddy(std::uint64_t hash) {
    const Segment one = directory_.find(hash);
    const std::uint32_t depth = allocator_->depth(one);
    if (depth == 0) return false;
    const std::uint64_t bit = std::uint64_t{1} << (depth - 1);
    const Segment other = directory_.find(hash ^ bit);
    if (allocator_->depth(other) != depth) return false;
    if (used_slots(one) + used_slots(other) > sparse(full_capacity())) return false;

    Hashes hashes;
    collect_hashes(one, hashes);
    collect_hashes(other, hashes);
    const Segment target = allocate(full_groups_);
    copy_entries({one, other}, hashes, target, target, 0);
    allocator_->set_depth(target, depth - 1);
    directory_.publish_whole(hash, depth - 1, target);
    discard(one);
    discard(other);
    counters_.merges.add(1);
    return true;
  }

  // Copies all entries, by `bit` of their hash, into segments that nobody sees yet.
  void copy_entries(std::initializer_list<Segment> sources, const Hashes& hashes, Segment low,
                    Segment high, std::uint64_t bit) noexcept {
    std::uint32_t next = 0;
    for (const Segment source : sources) {
      for_each_used(source, [&](std::uint32_t group, std::uint32_t index) {
        const std::uint64_t hash = hashes.values[next++];
        const Segment target = (hash & bit) != 0 ? high : low;
        const bool fits = try_put(target, target.groups(), hash, groups_.read_slot(group, index));
        VIGIL_CHECK(fits, "a fresh segment is too small for its entries");
      });
    }
  }

  // Frees a segment whose entries have been published elsewhere.
  void discard(Segment segment) noexcept {
    for (std::uint32_t group = segment.first(); group != segment.end(); ++group) {
      groups_.vacate_all(group);
    }
    free(segment);
  }

  // Readers use this line only.
  Directory directory_;
  Groups<Layout> groups_;

  alignas(64) mutable SpinLock lock_;
  bool advance_due_ = false;
  std::uint32_t full_groups_ = 0;
  std::uint32_t depth_limit_ = 0;
  const KeyCodec* codec_ = nullptr;
  ShardCounters counters_;
  Limbo limbo_;
  std::optional<SegmentAllocator> allocator_;
};

template <class KeyCodec, class Layout>
std::uint64_t Shard<KeyCodec, Layout>::check_segment_at(std::uint64_t position,
                                                        std::uint64_t& entries,
                                                        std::uint64_t& with_deadline) const {
  const std::uint64_t prefix = reverse(position);
  const Segment segment = directory_.find(prefix);
  const std::uint32_t depth = allocator_->depth(segment);
  const Root root = directory_.load_root();
  const std::uint64_t step = std::uint64_t{1} << depth;
  VIGIL_CHECK(depth <= root.depth(), "a segment is deeper than its directory");
  for (std::uint64_t i = prefix & (step - 1); i < root.size(); i += step) {
    VIGIL_CHECK(directory_.find(i) == segment, "directory entries of one segment differ");
  }

  std::array<std::uint32_t, Segment::kMaxGroups> overflow{};
  for_each_used(segment, [&](std::uint32_t group, std::uint32_t index) {
    const Words words = groups_.read_slot(group, index);
    const std::uint64_t hash = codec_->stored_hash(words.data());
    VIGIL_CHECK(((hash ^ prefix) & (step - 1)) == 0, "an entry lies in a foreign segment");
    const auto same_tag = groups_.load_view(group).tags.match(tag_of(hash)).bits();
    VIGIL_CHECK((same_tag >> index & 1) != 0, "an entry's tag is not that of its hash");
    for (std::uint32_t g = segment.home(hash); g != group; g = segment.after(g)) {
      ++overflow[g - segment.first()];
    }
    const auto key_is_here = [&](const auto& key) {
      const std::optional<Place> found = find(Probe(*codec_, key));
      return found && found->group == group && found->index == index;
    };
    VIGIL_CHECK(codec_->with_key(words.data(), key_is_here),
                "an entry cannot be found by its key, or is there twice");
    ++entries;
    if constexpr (Layout::kHasDeadline) with_deadline += words[Layout::kDeadlineAt] != 0;
  });
  for (std::uint32_t g = 0; g < segment.groups(); ++g) {
    const Control control = groups_.load_view(segment.first() + g).control;
    VIGIL_CHECK(!control.writing(), "a group's sequence is odd although nobody writes");
    VIGIL_CHECK(control.overflow() == Control::kOverflowMax || control.overflow() == overflow[g],
                "a group's overflow count is wrong");
  }
  const std::uint64_t span = kEnd >> depth;
  return (position & ~(span - 1)) + span;
}

}  // namespace vigil::maps::internal
