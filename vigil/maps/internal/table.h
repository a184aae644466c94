// SPDX-License-Identifier: Apache-2.0
//
// Table: the entries of a ShardedMap: finding, inserting, growing, shrinking. It knows slots as
// words and keys through a KeyCodec; locks are the business of shard.h, values, deadlines and the
// public operations that of sharded_map.h.
//
// Growth moves one segment at a time. copy_entries() copies the entries of a segment (or of two
// that merge) into fresh ones, publishes those in the directory and frees the slots of the old
// ones, all under the lock. So at every moment a slot with a tag holds the current value of its
// key, be its segment current or about to be freed, and a reader that finds the key may trust the
// slot alone. Only a reader that does not find it has to ask the directory whether it looked in the
// right place (directory.h). Everything that can throw happens before the first slot is touched.
//
// Segments fill at one pace, so those of one size would all split at once. Their full sizes
// therefore differ, by the low bits of their hashes, from 6 to 11 groups: an octave in even steps
// ("spiral"), and growth is spread over the whole time in which the map doubles.
//
// Thread safety: search*() and try_replace_value*() from any thread. Everything else
// REQUIRES the lock of the shard that the hash or position belongs to; a member that takes a Shard
// counts there, and is told by it how far segments may merge.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <vector>

#include "vigil/base/check.h"
#include "vigil/base/exceptions.h"
#include "vigil/maps/internal/directory.h"
#include "vigil/maps/internal/group.h"
#include "vigil/maps/internal/segment.h"
#include "vigil/maps/internal/shard.h"

namespace vigil::maps::internal {

template <class KeyCodec, class Layout>
class Table {
 public:
  using Words = SlotWords<Layout>;
  using Probe = typename KeyCodec::Probe;

  static constexpr std::uint32_t kSmallestFullGroups = 6;
  static constexpr std::uint32_t kFullSizes = 6;
  static constexpr std::uint32_t kProbedGroups = 8;  // of a segment that can still split

  // Group and index of a slot in one word, which stays in a register where a pair would be stored
  // in halves and loaded as a whole, and that waits for the store buffer.
  class Position {
   public:
    static constexpr std::uint32_t kAbsent = kSlotsPerGroup;  // an index that says: no entry

    Position() = default;
    Position(std::uint32_t group, std::uint32_t index) noexcept
        : bits_(std::uint64_t{group} << 4 | index) {}
    [[nodiscard]] std::uint32_t group() const noexcept {
      return static_cast<std::uint32_t>(bits_ >> 4);
    }
    [[nodiscard]] std::uint32_t index() const noexcept { return bits_ & 15; }
    [[nodiscard]] bool operator==(const Position&) const = default;

   private:
    std::uint64_t bits_ = kAbsent;
  };

  // Where an entry lies, or that there is none; valid until the next change of the shard.
  struct Place {
    Position at;
    std::uint64_t hash = 0;

    [[nodiscard]] bool found() const noexcept { return at.index() != Position::kAbsent; }
    [[nodiscard]] std::uint32_t group() const noexcept { return at.group(); }
    [[nodiscard]] std::uint32_t index() const noexcept { return at.index(); }
  };

  // Starts with 2^depth segments.
  Table(const KeyCodec& codec, std::uint64_t slots, std::uint32_t depth, std::uint32_t depth_limit)
      : memory_(slots, Layout::kSlotWords * sizeof(Word)),
        groups_(memory_.metadata(), memory_.slots()),
        directory_(depth_limit),
        codec_(codec) {
    for (std::uint32_t i = 0; i < kAllocators; ++i) allocators_.emplace_back(memory_, i);
    directory_.start(depth, [&](std::uint64_t hash) {
      const Segment segment = allocator_of(hash).allocate(smallest_groups(hash, depth));
      set_depth(segment, depth);
      return segment;
    });
  }

  // Counts the segment that the hash started with.
  void count_initial(Shard& shard, std::uint64_t hash) const noexcept {
    shard.counters().segments.add(1);
    shard.counters().groups.add(directory_.lookup(hash).groups());
  }

  // --- Readers -------------------------------------------------------------------------------

  enum class Search : std::uint8_t { kFound, kAbsent, kInterrupted };

  // search() for most keys: those in the first slot with their tag in their home group, and for
  // most that are absent. kInterrupted says that it has to be search(). Without loops, because what
  // those keep in registers makes the rest slower.
  [[gnu::always_inline]] inline Search search_home(const Probe& probe, Words& words) const {
    const std::uint64_t hash = probe.hash();
    const Groups<Layout> groups = groups_;
    const std::uint64_t version = directory_.now(hash);
    const std::uint32_t group = directory_.find(hash).home(hash);
    const auto view = groups.load_view(group);
    const table::BitMask candidates = view.tags.match(tag_pattern_of(hash));
    if (!candidates) {
      return view.control.overflow() == 0 ? confirmed_miss(hash, version) : Search::kInterrupted;
    }
    const Word* slot = groups.slot(group, candidates.first());
    if (!probe.may_match(slot)) [[unlikely]]
      return Search::kInterrupted;
    const bool copied =
        copy_slot(groups, group, view.control, slot, Layout::kKeyWords, words, ProtectNothing());
    return copied ? Search::kFound : Search::kInterrupted;
  }

  // Copies the slot of the key. Only the words from the deadline on are filled unless
  // probe.needs_confirm(). protect(words) is called while the slot may still change, before the
  // look that says that it has not: what it publishes is in time (vigil/table/hazard.h).
  template <class Protect>
  [[gnu::always_inline]] Search search(const Probe& probe, Words& words, Protect&& protect) const {
    const std::uint64_t hash = probe.hash();
    const Groups<Layout> groups = groups_;  // two addresses, which so can stay in registers
    const table::TagPattern pattern = tag_pattern_of(hash);
    const std::uint64_t version = directory_.now(hash);
    const Segment segment = directory_.find(hash);
    std::uint32_t group = segment.home(hash);
    for (std::uint32_t n = 1;; ++n, group = segment.after(group)) {
      const auto view = groups.load_view(group);
      for (const std::uint32_t index : view.tags.match(pattern)) {
        const Word* slot = groups.slot(group, index);
        if (!probe.may_match(slot)) continue;
        const std::uint32_t first = probe.needs_confirm() ? 0 : Layout::kKeyWords;
        if (!copy_slot(groups, group, view.control, slot, first, words, protect)) {
          return Search::kInterrupted;
        }
        if (probe.needs_confirm() && !probe.confirm(words.data())) continue;
        return Search::kFound;
      }
      if (view.control.overflow() == 0 || n >= segment.groups()) [[likely]]
        break;
    }
    return confirmed_miss(hash, version);
  }

  // --- Any writer ----------------------------------------------------------------------------

  // Replaces the value of an entry without deadline; false if there is none, or another writer is
  // in the way. REQUIRES: !probe.needs_confirm(), and values stored inline (no node).
  [[nodiscard]] bool try_replace_value(const Probe& probe, const std::uint64_t* value) {
    const Segment segment = directory_.find(probe.hash());
    std::uint32_t group = segment.home(probe.hash());
    for (std::uint32_t n = 0; n < segment.groups(); ++n, group = segment.after(group)) {
      const auto view = groups_.load_view(group);
      for (const std::uint32_t index : view.tags.match(tag_of(probe.hash()))) {
        const Word* slot = groups_.slot(group, index);
        if (probe.may_match(slot)) return replace_seen(group, index, view.control, slot, value);
      }
      if (view.control.overflow() == 0) break;
    }
    return false;
  }
  // That for most keys, those that search_home() finds; false may also say that it takes more.
  [[nodiscard, gnu::always_inline]] inline bool try_replace_value_at_home(
      const Probe& probe, const std::uint64_t* value) {
    const std::uint64_t hash = probe.hash();
    const std::uint32_t group = directory_.find(hash).home(hash);
    const auto view = groups_.load_view(group);
    const table::BitMask candidates = view.tags.match(tag_pattern_of(hash));
    if (!candidates) return false;
    const Word* slot = groups_.slot(group, candidates.first());
    if (!probe.may_match(slot)) return false;
    return replace_seen(group, candidates.first(), view.control, slot, value);
  }

  // --- The writer: single entries ------------------------------------------------------------

  // For most keys a look into the home group is enough, as in search_home().
  [[nodiscard, gnu::always_inline]] inline Place find(const Probe& probe) const {
    const std::uint64_t hash = probe.hash();
    const Groups<Layout> groups = groups_;
    const std::uint32_t group = directory_.lookup(hash).home(hash);
    const auto view = groups.load_view(group);
    if (!probe.needs_confirm()) [[likely]] {
      const table::BitMask candidates = view.tags.match(tag_pattern_of(hash));
      if (!candidates && view.control.overflow() == 0) return {};
      if (candidates && probe.may_match(groups.slot(group, candidates.first()))) [[likely]] {
        return {Position(group, candidates.first()), hash};
      }
    }
    return find_anywhere(probe);
  }
  // The probe by value, so that the caller's may stay in registers.
  [[nodiscard, gnu::noinline]] Place find_anywhere(Probe probe) const {
    const std::uint64_t hash = probe.hash();
    const Segment segment = directory_.lookup(hash);
    std::uint32_t group = segment.home(hash);
    for (std::uint32_t n = 0; n < segment.groups(); ++n, group = segment.after(group)) {
      const auto view = groups_.load_view(group);
      for (const std::uint32_t index : view.tags.match(tag_of(hash))) {
        if (!probe.may_match(groups_.slot(group, index))) continue;
        if (probe.needs_confirm() && !probe.confirm(groups_.read_slot(group, index).data())) {
          continue;
        }
        return {Position(group, index), hash};
      }
      if (view.control.overflow() == 0) break;
    }
    return {};
  }

  // The entry with the hash whose first value word is `value`, whatever its key equals.
  [[nodiscard]] Place find_value(std::uint64_t hash, std::uint64_t value) const {
    const Segment segment = directory_.lookup(hash);
    Place place;
    for_each_used(segment, [&](std::uint32_t group, std::uint32_t index) {
      if (groups_.read_word(group, index, Layout::kValueAt) == value) {
        place = {Position(group, index), hash};
      }
    });
    return place;
  }

  // As they are at one moment.
  [[nodiscard]] Words words(const Place& place) const noexcept {
    for (;;) {
      const Control control = groups_.settled(place.group());
      Words words;
      if (copy_slot(groups_, place.group(), control, groups_.slot(place.group(), place.index()), 0,
                    words, ProtectNothing())) [[likely]]
        return words;
    }
  }

  // Keeps the value of an entry as it is, until thaw() or erase().
  void freeze(const Place& place) noexcept { groups_.freeze(place.group()); }
  void thaw(const Place& place) noexcept { groups_.thaw(place.group()); }

  [[nodiscard]] std::uint64_t word(const Place& place, std::uint32_t word) const noexcept {
    return groups_.read_word(place.group(), place.index(), word);
  }

  // Adds an entry. REQUIRES: the key is absent. Throws what Hash throws, or std::length_error when
  // the map is full; then nothing has changed.
  void insert(Shard& shard, std::uint64_t hash, const Words& words) {
    for (;;) {
      const Segment segment = directory_.lookup(hash);
      if (try_put(segment, reach_of(segment), hash, words)) [[likely]]
        break;
      grow(shard, segment, hash);
    }
    count_added(shard, words);
  }

  // Replaces deadline and value, or the value alone.
  void replace(Shard& shard, const Place& place, const Words& words) noexcept {
    if constexpr (Layout::kHasDeadline) {
      count_deadline(shard, word(place, Layout::kDeadlineAt), -1);
      count_deadline(shard, words[Layout::kDeadlineAt], +1);
    }
    groups_.overwrite(place.group(), place.index(), Layout::kKeyWords,
                      words.data() + Layout::kKeyWords, Layout::kSlotWords - Layout::kKeyWords);
  }
  void replace_value(const Place& place, const std::uint64_t* value) noexcept {
    groups_.overwrite(place.group(), place.index(), Layout::kValueAt, value, Layout::kValueWords);
  }

  // Removes an entry; its nodes are the caller's to retire. May merge or shrink segments.
  void erase(Shard& shard, const Place& place) noexcept {
    erase_and_keep_size(shard, place);
    if (!groups_.load_view(place.group()).tags.match_used()) shrink(shard, place.hash);
  }
  // The same, but other places in the segment stay valid: nothing merges or shrinks.
  void erase_and_keep_size(Shard& shard, const Place& place) noexcept {
    if constexpr (Layout::kHasDeadline) {
      count_deadline(shard, word(place, Layout::kDeadlineAt), -1);
    }
    groups_.vacate(place.group(), place.index());
    groups_.thaw(place.group());  // before shrink() may give the group away
    forget_overflow(place);
    shard.counters().entries.subtract(1);
  }

  // Merges and shrinks the segment of `hash` as long as it is far too large. The entry that made it
  // so is already gone: a failure here (no memory, a Hash that throws) only leaves it large.
  void shrink(Shard& shard, std::uint64_t hash) noexcept {
    static_cast<void>(exception_of([&] {
      while (merge_with_buddy(shard, hash)) {
      }
      shrink_alone(shard, hash);
    }));
  }

  // --- The writer: several entries at one moment ---------------------------------------------
  //
  // 1 room for what is new  2 groups opened: those of entries that change or go, and by put_open()
  // of what is new  3 changes, then erasures  4 close() of all places (group.h says why in this
  // order)  5 forget_overflow(), and shrink() where entries went. Only 1 can fail.

  // Grows until the segment of the hash has room for all new entries that belong there.
  // count_new(low, mask) says how many have a hash with hash & mask == low. Returns whether it
  // grew. Throws like insert().
  template <class CountNew>
  bool make_room(Shard& shard, std::uint64_t hash, CountNew&& count_new) {
    for (bool grew = false;; grew = true) {
      const Segment segment = directory_.lookup(hash);
      const std::uint64_t mask = (std::uint64_t{1} << depth(segment)) - 1;
      if (free_in_reach(segment, hash) >= count_new(hash & mask, mask)) return grew;
      grow(shard, segment, hash);
    }
  }
  [[nodiscard]] Words words_open(const Place& place) const noexcept {
    return groups_.read_slot(place.group(), place.index());
  }
  void open(const Place& place) noexcept { groups_.open(place.group()); }
  // REQUIRES: make_room(), since which nothing but this was called.
  Place put_open(Shard& shard, std::uint64_t hash, const Words& words) noexcept {
    const Segment segment = directory_.lookup(hash);
    std::uint32_t group = segment.home(hash);
    for (;; group = segment.after(group)) {
      groups_.open(group);
      const table::BitMask free_slots = groups_.load_view(group).tags.match_free();
      if (free_slots) {
        groups_.fill_open(group, free_slots.first(), tag_of(hash), words);
        count_added(shard, words);
        return {Position(group, free_slots.first()), hash};
      }
      groups_.add_overflow_open(group);
    }
  }
  void replace_value_open(const Place& place, const std::uint64_t* value) noexcept {
    groups_.overwrite_open(place.group(), place.index(), Layout::kValueAt, value,
                           Layout::kValueWords);
  }
  void erase_open(Shard& shard, const Place& place) noexcept {
    if constexpr (Layout::kHasDeadline) {
      count_deadline(shard, word(place, Layout::kDeadlineAt), -1);
    }
    groups_.vacate_open(place.group(), place.index());
    shard.counters().entries.subtract(1);
  }
  void close(const Place& place) noexcept {
    const Segment segment = directory_.lookup(place.hash);
    std::uint32_t group = segment.home(place.hash);
    for (; group != place.group(); group = segment.after(group)) groups_.close(group);
    groups_.close(group);
  }
  // Of an entry that was erased. REQUIRES: nothing was moved since.
  void forget_overflow(const Place& place) noexcept {
    const Segment segment = directory_.lookup(place.hash);
    for (std::uint32_t g = segment.home(place.hash); g != place.group(); g = segment.after(g)) {
      groups_.remove_overflow(g);
    }
  }

  // --- The writer: whole segments ------------------------------------------------------------

  // Positions run over all hashes in the order of their reversed low 32 bits, in which a segment is
  // one interval and so is a shard, whatever splits and merges happen between two calls.
  static constexpr std::uint64_t kEnd = std::uint64_t{1} << 32;

  // A hash at `position`, and the position of a hash.
  static std::uint64_t reverse(std::uint64_t bits) noexcept {
    auto b = static_cast<std::uint32_t>(bits);
    b = (b >> 1 & 0x55555555U) | (b & 0x55555555U) << 1;
    b = (b >> 2 & 0x33333333U) | (b & 0x33333333U) << 2;
    b = (b >> 4 & 0x0F0F0F0FU) | (b & 0x0F0F0F0FU) << 4;
    return __builtin_bswap32(b);
  }

  // Gives back what the segment at `position` does not need, as after an erasure; returns the
  // position of the next segment.
  std::uint64_t shrink_segment_at(Shard& shard, std::uint64_t position) noexcept {
    const std::uint64_t hash = reverse(position);
    shrink(shard, hash);
    const std::uint64_t span = kEnd >> depth(directory_.lookup(hash));
    return (position & ~(span - 1)) + span;
  }

  // Calls visit(place) for every entry from `position` to the end of its segment; returns the
  // position of the next segment. `visit` must not change the shard.
  template <class Visit>
  std::uint64_t for_segment_at(std::uint64_t position, Visit&& visit) const {
    const std::uint64_t hash = reverse(position);
    const Segment segment = directory_.lookup(hash);
    const std::uint64_t span = kEnd >> depth(segment);
    const std::uint64_t begin = position & ~(span - 1);
    for_each_used(segment, [&](std::uint32_t group, std::uint32_t index) {
      const std::uint64_t h = codec_.stored_hash(groups_.read_slot(group, index).data());
      if (reverse(h) >= position) visit(Place{Position(group, index), h});
    });
    return begin + span;
  }

  // Removes what lies in the segment at `position`, calling drop(words) for every entry that was
  // removed; returns the position of the next segment.
  template <class Drop>
  std::uint64_t clear_segment_at(Shard& shard, std::uint64_t position, Drop&& drop) noexcept {
    const std::uint64_t hash = reverse(position);
    const Segment segment = directory_.lookup(hash);
    const std::uint64_t span = kEnd >> depth(segment);
    const std::uint64_t next = (position & ~(span - 1)) + span;
    for (std::uint32_t group = segment.first(); group != segment.end(); ++group) {
      const table::BitMask used = groups_.load_view(group).tags.match_used();
      groups_.vacate_all(group);
      for (const std::uint32_t index : used) {
        const Words words = groups_.read_slot(group, index);
        if constexpr (Layout::kHasDeadline) count_deadline(shard, words[Layout::kDeadlineAt], -1);
        shard.counters().entries.subtract(1);
        drop(words);
      }
    }
    shrink(shard, hash);
    return next;
  }

  // Splits the segment at `position` if that is needed to hold `entries` in all; returns the
  // position to go on from. Throws like insert().
  std::uint64_t reserve_at(Shard& shard, std::uint64_t position, std::uint64_t entries) {
    const std::uint64_t hash = reverse(position);
    const Segment segment = directory_.lookup(hash);
    const std::uint32_t depth = this->depth(segment);
    const std::uint32_t full = full_groups(hash, depth);
    const std::uint64_t room = std::uint64_t{full} * kSlotsPerGroup * 2 / 3 << depth;
    const bool small =
        segment.groups() < full && entries >> depth > segment.groups() * kSlotsPerGroup / 2;
    const bool deepen = room < entries && depth < directory_.depth_limit();
    if (small || deepen) {
      const Hashes hashes = collect_hashes({segment});
      if (small) {
        resize(shard, segment, hashes, hash, full);
      } else {
        split(shard, segment, hashes, hash);
      }
      return position;
    }
    const std::uint64_t span = kEnd >> depth;
    return (position & ~(span - 1)) + span;
  }

  // Splits the segment of `hash` unless it has at least `depth`. Throws like insert().
  void deepen_to(Shard& shard, std::uint64_t hash, std::uint32_t depth) {
    const Segment segment = directory_.lookup(hash);
    if (this->depth(segment) >= depth) return;
    split(shard, segment, collect_hashes({segment}), hash);
  }

  // The invariants of one segment and its directory entries; returns the next position.
  std::uint64_t check_segment_at(std::uint64_t position, std::uint64_t& entries,
                                 std::uint64_t& with_deadline) const;
  [[nodiscard]] std::uint64_t allocated_segments() const noexcept {
    std::uint64_t segments = 0;
    for (const SegmentAllocator& allocator : allocators_) segments += allocator.segments();
    return segments;
  }
  [[nodiscard]] std::uint64_t bytes_in_use() const noexcept { return memory_.bytes_in_use(); }
  [[nodiscard]] std::uint64_t directory_bytes() const noexcept { return directory_.bytes_in_use(); }

 private:
  [[gnu::always_inline]] inline bool replace_seen(std::uint32_t group, std::uint32_t index,
                                                  Control seen, const Word* slot,
                                                  const std::uint64_t* value) {
    if constexpr (Layout::kHasDeadline) {
      if (slot[Layout::kDeadlineAt].load(std::memory_order_acquire) != 0) return false;
    }
    return groups_.replace_value(group, index, seen, value);
  }
  [[gnu::always_inline]] inline Search confirmed_miss(std::uint64_t hash,
                                                      std::uint64_t version) const noexcept {
    return directory_.unchanged(hash, version) ? Search::kAbsent : Search::kInterrupted;
  }
  struct ProtectNothing {
    void operator()(const Words&) const noexcept {}
  };
  // The words from `first` on; whether they are of one moment, after protect(words).
  template <class Protect>
  [[gnu::always_inline]] static inline bool copy_slot(const Groups<Layout>& groups,
                                                      std::uint32_t group, Control control,
                                                      const Word* slot, std::uint32_t first,
                                                      Words& words, Protect&& protect) noexcept {
#pragma GCC unroll 8
    for (std::uint32_t i = first; i < Layout::kSlotWords; ++i) {
      words[i] = slot[i].load(std::memory_order_acquire);
    }
    protect(words);
    return groups.still_at(group, control);
  }

  static constexpr std::uint64_t kAllocators = 8;
  static constexpr std::uint32_t kSpiralBits = 6;

  // The hashes of the entries that copy_entries() moves, in its order.
  class Hashes {
   public:
    void push(std::uint64_t hash) {
      if (size_ < few_.size()) {
        few_[size_] = hash;
      } else {
        if (many_.empty()) many_.assign(few_.begin(), few_.end());
        many_.push_back(hash);
      }
      ++size_;
    }
    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    [[nodiscard]] const std::uint64_t* begin() const noexcept {
      return many_.empty() ? few_.data() : many_.data();
    }
    [[nodiscard]] const std::uint64_t* end() const noexcept { return begin() + size_; }

   private:
    std::uint32_t size_ = 0;
    // Room for every segment that is not oversized: no allocation in the usual split.
    std::array<std::uint64_t, (kSmallestFullGroups + kFullSizes) * kSlotsPerGroup> few_;
    std::vector<std::uint64_t> many_;
  };

  static std::uint32_t full_groups(std::uint64_t hash, std::uint32_t depth) noexcept {
    const std::uint64_t known = (std::uint64_t{1} << std::min(depth, kSpiralBits)) - 1;
    return kSmallestFullGroups + static_cast<std::uint32_t>((hash & known) % kFullSizes);
  }
  static std::uint32_t smallest_groups(std::uint64_t hash, std::uint32_t depth) noexcept {
    return std::max(2U, full_groups(hash, depth) / 4);
  }

  static void count_deadline(Shard& shard, std::uint64_t deadline, int change) noexcept {
    if (deadline == 0) [[likely]]
      return;
    shard.counters().with_deadline.add(static_cast<std::uint64_t>(std::int64_t{change}));
  }

  // --- Segments ------------------------------------------------------------------------------

  SegmentAllocator& allocator_of(std::uint64_t hash) noexcept {
    return allocators_[hash % kAllocators];
  }
  [[nodiscard]] std::uint32_t depth(Segment segment) const noexcept {
    return SegmentAllocator::depth(memory_, segment);
  }
  void set_depth(Segment segment, std::uint32_t depth) const noexcept {
    SegmentAllocator::set_depth(memory_, segment, depth);
  }
  Segment allocate(Shard& shard, std::uint64_t hash, std::uint64_t groups, std::uint32_t depth) {
    const Segment segment = allocator_of(hash).allocate(Segment::code_for(groups));
    set_depth(segment, depth);
    shard.counters().segments.add(1);
    shard.counters().groups.add(segment.groups());
    return segment;
  }
  void free(Shard& shard, Segment segment) noexcept {
    allocators_[SegmentAllocator::owner(memory_, segment)].free(segment);
    shard.counters().segments.subtract(1);
    shard.counters().groups.subtract(segment.groups());
  }

  // --- Growing and shrinking -----------------------------------------------------------------

  // How many groups an insertion may try.
  [[nodiscard]] static std::uint32_t reach_of(Segment segment) noexcept {
    const bool can_split = segment.groups() <= kSmallestFullGroups + kFullSizes - 1;
    return can_split ? std::min(kProbedGroups, segment.groups()) : segment.groups();
  }
  [[nodiscard]] std::uint32_t free_in_reach(Segment segment, std::uint64_t hash) const noexcept {
    std::uint32_t free_slots = 0;
    std::uint32_t group = segment.home(hash);
    for (std::uint32_t reach = reach_of(segment); reach != 0; --reach) {
      free_slots += groups_.load_view(group).tags.match_free().count();
      group = segment.after(group);
    }
    return free_slots;
  }
  static void count_added(Shard& shard, const Words& words) noexcept {
    shard.counters().entries.add(1);
    if constexpr (Layout::kHasDeadline) count_deadline(shard, words[Layout::kDeadlineAt], +1);
  }

  // Puts the entry into the first of `reach` groups with a free slot.
  bool try_put(Segment segment, std::uint32_t reach, std::uint64_t hash,
               const Words& words) noexcept {
    const std::uint32_t home = segment.home(hash);
    std::uint32_t group = home;
    for (; reach != 0; --reach, group = segment.after(group)) {
      const table::BitMask free_slots = groups_.load_view(group).tags.match_free();
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

  [[nodiscard]] Hashes collect_hashes(std::initializer_list<Segment> segments) const {
    Hashes hashes;
    for (const Segment segment : segments) {
      for_each_used(segment, [&](std::uint32_t group, std::uint32_t index) {
        hashes.push(codec_.stored_hash(groups_.read_slot(group, index).data()));
      });
    }
    return hashes;
  }

  // Makes room in the segment of `hash`.
  void grow(Shard& shard, Segment segment, std::uint64_t hash) {
    const Hashes hashes = collect_hashes({segment});
    const std::uint32_t full = full_groups(hash, depth(segment));
    if (segment.groups() < full) {
      resize(shard, segment, hashes, hash, std::min(full, 2 * segment.groups()));
    } else if (separable(segment, hashes)) {
      split(shard, segment, hashes, hash);
    } else {
      resize(shard, segment, hashes, hash, std::uint64_t{2} * segment.groups());
    }
  }

  // Whether splitting, perhaps repeatedly, would part the segment's entries.
  [[nodiscard]] bool separable(Segment segment, const Hashes& hashes) const {
    std::uint64_t difference = 0;
    for (const std::uint64_t hash : hashes) difference |= hash ^ *hashes.begin();
    const std::uint64_t directory_bits = (std::uint64_t{1} << directory_.depth_limit()) - 1;
    return (difference & directory_bits) >> depth(segment) != 0;
  }

  // A segment size that holds `entries` and as many more as a fresh segment should take.
  [[nodiscard]] static std::uint32_t groups_for(std::uint32_t entries,
                                                std::uint32_t full) noexcept {
    if (entries <= full * kSlotsPerGroup) return full;
    return entries / kSlotsPerGroup + 1 + full / 2;
  }

  void resize(Shard& shard, Segment segment, const Hashes& hashes, std::uint64_t hash,
              std::uint64_t groups) {
    const std::uint32_t depth = this->depth(segment);
    const Segment target = allocate(shard, hash, groups, depth);
    copy_entries({segment}, hashes, target, target, 0);
    directory_.publish_replaced(hash, depth, target);
    discard(shard, segment);
    thaw(target);
    shard.counters().resizes.add(1);
  }

  struct FreeUnlessKept {
    ~FreeUnlessKept() {
      if (!kept) table.free(shard, segment);
    }
    Table& table;
    Shard& shard;
    Segment segment;
    bool kept = false;
  };
  void split(Shard& shard, Segment segment, const Hashes& hashes, std::uint64_t hash) {
    const std::uint32_t depth = this->depth(segment);
    const std::uint64_t bit = std::uint64_t{1} << depth;
    const auto in_high = static_cast<std::uint32_t>(std::count_if(
        hashes.begin(), hashes.end(), [bit](std::uint64_t h) { return (h & bit) != 0; }));

    directory_.deepen_to(depth + 1);
    const std::uint64_t low_hash = hash & ~bit;
    const std::uint64_t high_hash = hash | bit;
    const Segment low =
        allocate(shard, low_hash,
                 groups_for(hashes.size() - in_high, full_groups(low_hash, depth + 1)), depth + 1);
    FreeUnlessKept low_alone{*this, shard, low};
    const Segment high = allocate(
        shard, high_hash, groups_for(in_high, full_groups(high_hash, depth + 1)), depth + 1);
    low_alone.kept = true;
    copy_entries({segment}, hashes, low, high, bit);
    directory_.publish_split(hash, depth, low, high);
    discard(shard, segment);
    thaw(low);
    thaw(high);
    shard.counters().splits.add(1);
  }

  void shrink_alone(Shard& shard, std::uint64_t hash) {
    const Segment segment = directory_.lookup(hash);
    const std::uint32_t depth = this->depth(segment);
    const std::uint32_t full = full_groups(hash, depth);
    const std::uint32_t least =
        depth == shard.smallest_depth() ? smallest_groups(hash, depth) : full;
    const std::uint32_t used = used_slots(segment);
    std::uint32_t groups = segment.groups();
    for (const std::uint32_t size : {full, full / 2, smallest_groups(hash, depth)}) {
      const bool smaller = size < groups && size >= least;
      if (smaller && used <= sparse(size * kSlotsPerGroup)) groups = size;
    }
    if (groups != segment.groups()) {
      resize(shard, segment, collect_hashes({segment}), hash, groups);
    }
  }
  // The fill below which it pays to shrink; well below the half that a split leaves.
  static constexpr std::uint32_t sparse(std::uint32_t capacity) noexcept {
    return capacity * 3 / 8;
  }

  bool merge_with_buddy(Shard& shard, std::uint64_t hash) {
    const Segment one = directory_.lookup(hash);
    const std::uint32_t depth = this->depth(one);
    if (depth <= shard.smallest_depth()) return false;
    const std::uint64_t bit = std::uint64_t{1} << (depth - 1);
    const Segment other = directory_.lookup(hash ^ bit);
    const std::uint32_t full = full_groups(hash, depth - 1);
    if (this->depth(other) != depth) return false;
    if (used_slots(one) + used_slots(other) > sparse(full * kSlotsPerGroup)) return false;

    const Hashes hashes = collect_hashes({one, other});
    const Segment target = allocate(shard, hash, full, depth - 1);
    copy_entries({one, other}, hashes, target, target, 0);
    directory_.publish_merged(hash, depth - 1, target);
    discard(shard, one);
    discard(shard, other);
    thaw(target);
    shard.counters().merges.add(1);
    return true;
  }

  void freeze(Segment segment) noexcept {
    for (std::uint32_t group = segment.first(); group != segment.end(); ++group) {
      groups_.freeze(group);
    }
  }
  void thaw(Segment segment) noexcept {
    for (std::uint32_t group = segment.first(); group != segment.end(); ++group) {
      groups_.thaw(group);
    }
  }

  // Copies all entries, by `bit` of their hash, into segments that are not published yet. Sources
  // and targets are frozen; the targets stay so until the sources are gone. A value replaced in a
  // source would be lost. One replaced in a target (by a thread that knows the segment from an
  // earlier life and finds the key there) would come and go, as long as the source can be read as
  // well.
  void copy_entries(std::initializer_list<Segment> sources, const Hashes& hashes, Segment low,
                    Segment high, std::uint64_t bit) noexcept {
    freeze(low);
    freeze(high);
    const std::uint64_t* next = hashes.begin();
    for (const Segment source : sources) {
      freeze(source);
      for_each_used(source, [&](std::uint32_t group, std::uint32_t index) {
        const std::uint64_t hash = *next++;
        const Segment target = (hash & bit) != 0 ? high : low;
        const bool fits = try_put(target, target.groups(), hash, groups_.read_slot(group, index));
        VIGIL_CHECK(fits, "a fresh segment is too small for its entries");
      });
    }
  }

  // Frees a segment whose entries have been published elsewhere.
  void discard(Shard& shard, Segment segment) noexcept {
    for (std::uint32_t group = segment.first(); group != segment.end(); ++group) {
      groups_.vacate_all(group);
    }
    free(shard, segment);
  }

  SegmentMemory memory_;
  // Readers use these.
  Groups<Layout> groups_;
  Directory directory_;
  const KeyCodec& codec_;

  std::deque<SegmentAllocator> allocators_;
};

template <class KeyCodec, class Layout>
std::uint64_t Table<KeyCodec, Layout>::check_segment_at(std::uint64_t position,
                                                        std::uint64_t& entries,
                                                        std::uint64_t& with_deadline) const {
  const std::uint64_t prefix = reverse(position);
  const Segment segment = directory_.lookup(prefix);
  const std::uint32_t depth = this->depth(segment);
  const std::uint64_t step = std::uint64_t{1} << depth;
  const std::uint64_t size = directory_.size();
  VIGIL_CHECK(step <= size, "a segment is deeper than its directory");
  for (std::uint64_t i = prefix & (step - 1); i < size; i += step) {
    VIGIL_CHECK(directory_.lookup(i) == segment, "directory entries of one segment differ");
  }

  std::vector<std::uint32_t> overflow(segment.groups());
  for_each_used(segment, [&](std::uint32_t group, std::uint32_t index) {
    const Words words = groups_.read_slot(group, index);
    const std::uint64_t hash = codec_.stored_hash(words.data());
    VIGIL_CHECK(((hash ^ prefix) & (step - 1)) == 0, "an entry lies in a foreign segment");
    const auto same_tag = groups_.load_view(group).tags.match(tag_of(hash)).bits();
    VIGIL_CHECK((same_tag >> index & 1) != 0, "an entry's tag is not that of its hash");
    for (std::uint32_t g = segment.home(hash); g != group; g = segment.after(g)) {
      ++overflow[g - segment.first()];
    }
    const auto key_is_here = [&](const auto& key) {
      const Probe probe(codec_, key);
      const bool findable = !probe.needs_confirm() || probe.confirm(words.data());
      return !findable || find(probe).at == Position(group, index);
    };
    VIGIL_CHECK(codec_.with_key(words.data(), key_is_here),
                "an entry cannot be found by its key, or is there twice");
    ++entries;
    if constexpr (Layout::kHasDeadline) with_deadline += words[Layout::kDeadlineAt] != 0;
  });
  for (std::uint32_t g = 0; g < segment.groups(); ++g) {
    const Control control = groups_.settled(segment.first() + g);
    VIGIL_CHECK(!control.frozen(), "a group is frozen although nobody holds the lock");
    VIGIL_CHECK(control.overflow() == Control::kOverflowMax || control.overflow() == overflow[g],
                "a group's overflow count is wrong");
  }
  const std::uint64_t span = kEnd >> depth;
  return (position & ~(span - 1)) + span;
}

}  // namespace vigil::maps::internal
