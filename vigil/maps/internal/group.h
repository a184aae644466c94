// SPDX-License-Identifier: Apache-2.0
//
// Groups: the memory format of a ShardedMap and the protocol by which one writer at a time changes
// a group while lock-free readers read it.
//
//   metadata, 16 bytes per group:  | 12 tags of 1 byte | overflow:4 | frozen:1 | sequence:27 |
//                                  word 0: tags 0..7     word 1: tags 8..11 and the rest
//   slots, 12 per group:           | key words | deadline word (optional) | value words |
//
// Metadata lies apart from slots, so that a miss touches 16 bytes and a hit one slot more. A tag
// is 8 bits of the key's hash, 0 = free slot. Overflow counts keys that wanted this group and went
// to a later one of the segment (15 = at least 15; sticky until the segment is rebuilt); 0 ends a
// search. The sequence is odd while slot words change, and no change of a slot's content or
// membership leaves it as it was: that includes insertion into a free slot, or a reader that
// matched the slot's previous tag could copy half of the new entry and find nothing changed.
//
// Which thread writes: the one that made the sequence odd, by a compare-exchange from a word at
// rest. No other stores to the group until it is even again.
//   - The holder of the shard's lock changes anything.
//   - Anybody may replace the value of an entry (replace_value), without that lock: the exchange
//     expects the word 1 with which the entry was found, so its success proves that the entry is
//     where it was, and no other value than the one seen was replaced.
//   - Tags, keys and deadlines therefore stand still for the holder of the shard's lock, values do
//     not. Where a value must (to be read and then changed, or copied elsewhere) the holder freezes
//     the group: replace_value leaves it alone, readers do not mind. Only the holder stores to word
//     1 of a frozen group.
//   - So a frozen group may stay odd for more than one change (open, close): whoever finds an entry
//     there waits. Entries of several groups change at one moment if all of the groups are opened
//     and what is new is put there, then values are replaced and entries removed, then the groups
//     are closed: nobody sees an effect before the last is open, and who sees one finds each of
//     the others open, or closed with its own effect.
//
// Memory order (R reader, W writer; every word is atomic, there are no fences):
//   W  1 word 1: sequence + 1 (odd)             acquire: what the writer before stored
//      2 slot words                             release
//      3 word 0, if the tag lies there          release
//      4 word 1: sequence + 1 (even), tags      release
//   R  a word 1, b word 0, c slot words         acquire, in this order
//      d word 1 again                           relaxed; ordered after c by the acquires
//   If c reads anything of a W, its release/acquire makes 1 visible to d, and d differs from a.
//   If a reads 4, c reads what 2 stored or later. Erasing clears word 0 before it bumps word 1
//   (release), so a reader that starts from the new sequence cannot see the old tag.
//   The 27-bit sequence would have to wrap exactly between a and d (2^26 writes to one group), or
//   between the finding of an entry and the exchange that replaces its value.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "vigil/base/spin_lock.h"
#include "vigil/table/tag_group.h"

namespace vigil::maps::internal {

using Word = std::atomic<std::uint64_t>;
static_assert(sizeof(Word) == 8 && Word::is_always_lock_free);

// How many words of a slot belong to what.
template <std::uint32_t kKey, bool kDeadline, std::uint32_t kValue>
struct SlotLayout {
  static constexpr std::uint32_t kKeyWords = kKey;
  static constexpr std::uint32_t kValueWords = kValue;
  static constexpr bool kHasDeadline = kDeadline;
  static constexpr std::uint32_t kDeadlineAt = kKey;
  static constexpr std::uint32_t kValueAt = kKey + (kDeadline ? 1 : 0);
  static constexpr std::uint32_t kSlotWords = kValueAt + kValue;
};

// A slot's words outside of the table.
template <class Layout>
using SlotWords = std::array<std::uint64_t, Layout::kSlotWords>;

inline constexpr std::uint32_t kSlotsPerGroup = 12;
using Tags = table::TagGroup<kSlotsPerGroup>;

[[nodiscard]] constexpr std::uint8_t tag_of(std::uint64_t hash) noexcept {
  return table::tag_from_bits(static_cast<std::uint8_t>(hash >> 24));
}
[[nodiscard]] inline table::TagPattern tag_pattern_of(std::uint64_t hash) noexcept {
  return table::TagPattern::from_hash<3>(hash);
}

// Word 1 of a group's metadata, taken apart.
class Control {
 public:
  static constexpr std::uint64_t kFrozen = std::uint64_t{1} << 36;
  static constexpr std::uint64_t kSequenceStep = std::uint64_t{1} << 37;
  static constexpr std::uint32_t kOverflowShift = 32;
  static constexpr std::uint32_t kOverflowMax = 15;

  explicit Control(std::uint64_t word) noexcept : word_(word) {}

  [[nodiscard]] std::uint64_t word() const noexcept { return word_; }
  [[nodiscard]] bool writing() const noexcept { return (word_ & kSequenceStep) != 0; }
  [[nodiscard]] bool frozen() const noexcept { return (word_ & kFrozen) != 0; }
  [[nodiscard]] std::uint32_t overflow() const noexcept {
    return static_cast<std::uint32_t>(word_ >> kOverflowShift) & kOverflowMax;
  }
  // Whether a group seen at this sequence was at rest then and has not changed until `later`. An
  // odd sequence never comes back as the even one before it.
  [[nodiscard]] bool rests_until(Control later) const noexcept {
    return ((word_ & ~kSequenceStep) ^ later.word_) < kSequenceStep;
  }
  // The sequence one on, without anything else.
  [[nodiscard]] std::uint64_t emptied() const noexcept {
    return (word_ & ~(kSequenceStep - 1)) + kSequenceStep;
  }

 private:
  std::uint64_t word_;
};

// All groups of a map, by number. load_*, still_at, settled and replace_value are for any thread;
// all others REQUIRE the lock of the shard that owns the group, or that nobody else can find it.
template <class Layout>
class Groups {
 public:
  static constexpr std::size_t kMetadataBytes = 16;
  static constexpr std::size_t kSlotBytes = Layout::kSlotWords * sizeof(Word);
  static constexpr std::size_t kGroupSlotBytes = kSlotsPerGroup * kSlotBytes;

  Groups() = default;
  Groups(char* metadata, char* slots) : metadata_(metadata), slots_(slots) {}

  // --- Readers -------------------------------------------------------------------------------

  struct View {
    Control control;
    Tags tags;
  };
  [[nodiscard]] View load_view(std::uint32_t group) const noexcept {
    const Word* words = metadata(group);
    const std::uint64_t high = words[1].load(std::memory_order_acquire);
    const std::uint64_t low = words[0].load(std::memory_order_acquire);
    return {Control(high), Tags(low, high)};
  }
  [[nodiscard]] bool still_at(std::uint32_t group, Control control) const noexcept {
    return control.rests_until(Control(metadata(group)[1].load(std::memory_order_relaxed)));
  }
  [[nodiscard]] const Word* slot(std::uint32_t group, std::uint32_t index) const noexcept {
    return reinterpret_cast<const Word*>(slots_ + group * kGroupSlotBytes + index * kSlotBytes);
  }
  void prefetch(std::uint32_t group) const noexcept { __builtin_prefetch(metadata(group)); }

  // --- Any writer ----------------------------------------------------------------------------

  // Replaces the value of the entry at `index` in a group that was seen at `control`; false if
  // anything happened to the group since, or it is frozen.
  [[nodiscard]] bool replace_value(std::uint32_t group, std::uint32_t index, Control control,
                                   const std::uint64_t* value) noexcept {
    if (control.writing() || control.frozen()) return false;
    Word& word = metadata(group)[1];
    std::uint64_t expected = control.word();
    if (!word.compare_exchange_strong(expected, expected + Control::kSequenceStep,
                                      std::memory_order_acquire, std::memory_order_relaxed)) {
      return false;
    }
    store_words(group, index, Layout::kValueAt, value, Layout::kValueWords);
    word.store(control.word() + 2 * Control::kSequenceStep, std::memory_order_release);
    return true;
  }

  // --- The holder of the shard's lock --------------------------------------------------------

  // Keeps replace_value() away until thaw() or vacate_all().
  void freeze(std::uint32_t group) noexcept {
    if (!settled(group).frozen()) add_at_rest(group, Control::kFrozen);
  }
  // Of a group that is not frozen: nothing.
  void thaw(std::uint32_t group) noexcept {
    Word& word = metadata(group)[1];
    const Control control(word.load(std::memory_order_relaxed));
    if (control.frozen()) word.store(control.word() - Control::kFrozen, std::memory_order_release);
  }
  // What is in the group when nobody writes.
  [[nodiscard]] Control settled(std::uint32_t group) const noexcept {
    Backoff backoff;
    for (;;) {
      const Control control(metadata(group)[1].load(std::memory_order_acquire));
      if (!control.writing()) return control;
      backoff.pause();
    }
  }

  [[nodiscard]] SlotWords<Layout> read_slot(std::uint32_t group,
                                            std::uint32_t index) const noexcept {
    SlotWords<Layout> words;
    const Word* from = slot(group, index);
#pragma GCC unroll 8
    for (std::uint32_t i = 0; i < Layout::kSlotWords; ++i) {
      words[i] = from[i].load(std::memory_order_relaxed);
    }
    return words;
  }

  [[nodiscard]] std::uint64_t read_word(std::uint32_t group, std::uint32_t index,
                                        std::uint32_t word) const noexcept {
    return slot(group, index)[word].load(std::memory_order_relaxed);
  }

  // Puts an entry into a free slot.
  void fill(std::uint32_t group, std::uint32_t index, std::uint8_t tag,
            const SlotWords<Layout>& words) noexcept {
    const std::uint64_t odd = begin_write(group);
    store_words(group, index, 0, words.data(), Layout::kSlotWords);
    std::uint64_t high = odd + Control::kSequenceStep;
    if (index < 8) {
      Tags::store_tag(metadata(group), index, tag);
    } else {
      high |= std::uint64_t{tag} << (index - 8) * 8;
    }
    metadata(group)[1].store(high, std::memory_order_release);
  }

  // Replaces the words [first, first + count) of a used slot.
  void overwrite(std::uint32_t group, std::uint32_t index, std::uint32_t first,
                 const std::uint64_t* words, std::uint32_t count) noexcept {
    const std::uint64_t odd = begin_write(group);
    store_words(group, index, first, words, count);
    metadata(group)[1].store(odd + Control::kSequenceStep, std::memory_order_release);
  }

  // Frees a used slot.
  void vacate(std::uint32_t group, std::uint32_t index) noexcept {
    Word* words = metadata(group);
    std::uint64_t high = begin_write(group) + Control::kSequenceStep;
    if (index < 8) {
      Tags::store_tag(words, index, Tags::kFree);
    } else {
      high &= ~(std::uint64_t{0xFF} << (index - 8) * 8);
    }
    words[1].store(high, std::memory_order_release);
  }

  // Frees every slot, forgets the overflow and thaws.
  void vacate_all(std::uint32_t group) noexcept {
    const Control control(begin_write(group));
    Word* words = metadata(group);
    words[0].store(0, std::memory_order_release);
    words[1].store(control.emptied(), std::memory_order_release);
  }

  // --- The holder of several shards' locks ---------------------------------------------------

  // Readers of the group's entries wait from now on until close(); nobody else stores.
  void open(std::uint32_t group) noexcept {
    Word& word = metadata(group)[1];
    if (is_open(Control(word.load(std::memory_order_relaxed)))) return;
    freeze(group);
    begin_write(group);
  }
  // Of a group that is not open: thaw().
  void close(std::uint32_t group) noexcept {
    Word& word = metadata(group)[1];
    const Control control(word.load(std::memory_order_relaxed));
    if (is_open(control)) {
      word.store(control.word() + Control::kSequenceStep - Control::kFrozen,
                 std::memory_order_release);
    } else {
      thaw(group);
    }
  }
  // fill(), overwrite(), vacate() and add_overflow() of a group that is open and stays so.
  void fill_open(std::uint32_t group, std::uint32_t index, std::uint8_t tag,
                 const SlotWords<Layout>& words) noexcept {
    store_words(group, index, 0, words.data(), Layout::kSlotWords);
    set_tag_open(group, index, tag);
  }
  void overwrite_open(std::uint32_t group, std::uint32_t index, std::uint32_t first,
                      const std::uint64_t* words, std::uint32_t count) noexcept {
    store_words(group, index, first, words, count);
  }
  void vacate_open(std::uint32_t group, std::uint32_t index) noexcept {
    set_tag_open(group, index, Tags::kFree);
  }
  void add_overflow_open(std::uint32_t group) noexcept {
    Word& word = metadata(group)[1];
    const Control control(word.load(std::memory_order_relaxed));
    if (control.overflow() == Control::kOverflowMax) return;
    word.store(control.word() + (std::uint64_t{1} << Control::kOverflowShift),
               std::memory_order_release);
  }

  void add_overflow(std::uint32_t group) noexcept {
    if (settled(group).overflow() == Control::kOverflowMax) return;
    add_at_rest(group, std::uint64_t{1} << Control::kOverflowShift);
  }
  // A count that reached the maximum is no longer exact and stays.
  void remove_overflow(std::uint32_t group) noexcept {
    if (settled(group).overflow() == Control::kOverflowMax) return;
    add_at_rest(group, -(std::uint64_t{1} << Control::kOverflowShift));
  }

 private:
  [[nodiscard]] Word* metadata(std::uint32_t group) const noexcept {
    return reinterpret_cast<Word*>(metadata_ + group * kMetadataBytes);
  }

  // Nobody else makes the sequence of a frozen group odd.
  [[nodiscard]] static bool is_open(Control control) noexcept {
    return control.frozen() && control.writing();
  }
  void set_tag_open(std::uint32_t group, std::uint32_t index, std::uint8_t tag) noexcept {
    Word* words = metadata(group);
    if (index < 8) {
      Tags::store_tag(words, index, tag);
    } else {
      const std::uint32_t shift = (index - 8) * 8;
      const std::uint64_t others =
          words[1].load(std::memory_order_relaxed) & ~(std::uint64_t{0xFF} << shift);
      words[1].store(others | std::uint64_t{tag} << shift, std::memory_order_release);
    }
  }

  // Makes the sequence odd; returns word 1 as it is then.
  std::uint64_t begin_write(std::uint32_t group) noexcept {
    return add_at_rest(group, Control::kSequenceStep);
  }

  // Adds to word 1 when nobody writes the group; returns the sum.
  std::uint64_t add_at_rest(std::uint32_t group, std::uint64_t summand) noexcept {
    Word& word = metadata(group)[1];
    std::uint64_t seen = settled(group).word();
    if (Control(seen).frozen()) {  // nobody else stores
      word.store(seen + summand, std::memory_order_release);
      return seen + summand;
    }
    while (!word.compare_exchange_weak(seen, seen + summand, std::memory_order_acq_rel,
                                       std::memory_order_relaxed)) {
      seen = settled(group).word();
    }
    return seen + summand;
  }

  void store_words(std::uint32_t group, std::uint32_t index, std::uint32_t first,
                   const std::uint64_t* words, std::uint32_t count) noexcept {
    Word* to = reinterpret_cast<Word*>(slots_ + group * kGroupSlotBytes + index * kSlotBytes);
#pragma GCC unroll 8
    for (std::uint32_t i = 0; i < count; ++i) {
      to[first + i].store(words[i], std::memory_order_release);
    }
  }

  char* metadata_ = nullptr;
  char* slots_ = nullptr;
};

}  // namespace vigil::maps::internal
