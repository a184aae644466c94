// SPDX-License-Identifier: Apache-2.0
//
// FlatTable: an open-addressing hash table without any synchronisation; what all maps but
// ShardedMap and ReadMostlyMap keep their entries in.
//
//   one allocation:  | 16-byte group | group | ...   | slot slot ... (15 per group) |
//   a group:         | tag 0 | tag 1 | ... | tag 14 | overflow |
//
// A tag is eight bits of the hash, 0 for a free slot; a group's tags are compared in one step. A
// key lies in the first group of its probe sequence that had room. Bit h % 8 of `overflow` says
// that a key with hash h did not fit, so a search ends at the first group without it: there are no
// tombstones. Bits are not taken back when a key goes; every erasure from a group that overflowed
// lowers the limit by one instead, so that a table in long use is rehashed now and then.
//
// Algorithm: groups after Google's Swiss tables (Kulukundis, CppCon 2017), overflow bits after
// boost::unordered_flat_map (Lopez Munoz, 2022), triangular probing.
//
// Thread safety: none; const members may run at once. Complexity: O(1) expected; growth O(size).
// Memory: 1 1/15 bytes and a slot for each of size / 0.44 .. size / 0.875 places; clear() frees it.
// Exceptions: strong guarantee. Invariants (check_invariants):
//   1. a used slot's tag is that of its key's hash, and a key that equals itself is found in that
//      very slot
//   2. a group that a key was pushed out of has the key's overflow bit
//   3. size is the number of used slots and at most the limit
#pragma once

#include <emmintrin.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "vigil/base/check.h"
#include "vigil/base/exceptions.h"
#include "vigil/maps/internal/flat/flat_keys.h"
#include "vigil/maps/internal/flat/flat_values.h"
#include "vigil/table/tag_group.h"

namespace vigil::maps::internal {

// 15 tags and the overflow bits.
struct alignas(16) FlatGroup {
  static constexpr std::uint32_t kSlots = 15;
  static constexpr std::uint32_t kMask = (std::uint32_t{1} << kSlots) - 1;

  std::array<std::uint8_t, kSlots> tags{};
  std::uint8_t overflow = 0;

  [[nodiscard]] table::BitMask match(std::uint8_t tag) const noexcept {
    const __m128i all = _mm_load_si128(reinterpret_cast<const __m128i*>(this));
    const __m128i equal = _mm_cmpeq_epi8(all, _mm_set1_epi8(static_cast<char>(tag)));
    return table::BitMask(static_cast<std::uint32_t>(_mm_movemask_epi8(equal)) & kMask);
  }
  [[nodiscard]] table::BitMask match_free() const noexcept { return match(0); }
  [[nodiscard]] table::BitMask match_used() const noexcept {
    return table::BitMask(~match_free().bits() & kMask);
  }
  [[nodiscard]] bool overflowed(std::uint64_t hash) const noexcept {
    return (overflow >> (hash & 7) & 1) != 0;
  }
  void set_overflowed(std::uint64_t hash) noexcept {
    overflow = static_cast<std::uint8_t>(overflow | 1U << (hash & 7));
  }
};

template <class Key, class Value, class Hash, class Equal, class Allocator>
class FlatTable {
 public:
  using Keys = FlatKeys<Key, Hash, Equal, Allocator>;
  using Probe = typename Keys::Probe;
  using Lookup = typename Keys::Lookup;
  using Values = FlatValues<Value, Allocator>;

  struct Slot {
    typename Keys::Stored key;
    typename Values::Stored stored;

    [[nodiscard]] Value& value() noexcept { return Values::get(stored); }
    [[nodiscard]] const Value& value() const noexcept { return Values::get(stored); }
  };

  FlatTable(Hash hash, Equal equal, const Allocator& allocator)
      : keys_(std::move(hash), std::move(equal)), allocator_(allocator) {}
  FlatTable(const FlatTable& other) : keys_(other.keys_), allocator_(other.allocator_) {
    copy_entries_of(other);
  }
  FlatTable(FlatTable&& other) noexcept
      : keys_(other.keys_),
        allocator_(other.allocator_),
        groups_(std::exchange(other.groups_, no_groups())),
        slots_(std::exchange(other.slots_, nullptr)),
        group_mask_(std::exchange(other.group_mask_, 0)),
        size_(std::exchange(other.size_, 0)),
        limit_(std::exchange(other.limit_, 0)) {}
  FlatTable& operator=(const FlatTable&) = delete;
  ~FlatTable() { clear(); }

  [[nodiscard]] Probe probe(Lookup key) const { return Probe(keys_, key); }

  // The slot of the key, or nullptr.
  [[nodiscard]] Slot* find(const Probe& probe) const {
    const std::uint8_t tag = tag_of(probe.hash());
    std::size_t at = home(probe.hash());
    for (std::size_t step = 1;; ++step) {
      const FlatGroup& group = groups_[at];
      for (const std::uint32_t i : group.match(tag)) {
        Slot& slot = slots_[at * FlatGroup::kSlots + i];
        if (probe.matches(slot.key)) return &slot;
      }
      if (!group.overflowed(probe.hash()) || step > group_mask_) [[likely]]
        return nullptr;
      at = (at + step) & group_mask_;
    }
  }

  // Adds an entry. REQUIRES: find(probe) == nullptr.
  template <class... Args>
  Slot* insert(const Probe& probe, Args&&... args) {
    if (size_ >= limit_) [[unlikely]]
      return insert_after_rehash(probe, std::forward<Args>(args)...);
    return fill(probe, std::forward<Args>(args)...);
  }

  void erase(Slot* slot) noexcept {
    const auto index = static_cast<std::size_t>(slot - slots_);
    FlatGroup& group = groups_[index / FlatGroup::kSlots];
    group.tags[index % FlatGroup::kSlots] = 0;
    destroy(*slot);
    --size_;
    if (group.overflow != 0) --limit_;
  }

  void replace(Slot& slot, Value&& value) {
    Values::replace(slot.stored, allocator_, std::move(value));
  }
  // Returns the value that was there.
  std::optional<Value> exchange(Slot& slot, Value&& value) {
    return Values::exchange(slot.stored, allocator_, std::move(value));
  }

  // Calls visit(Slot&) until it returns false; it may erase the slot it was given.
  template <class Visit>
  void for_each_slot(Visit&& visit) const {
    for_each_slot_between(0, group_count(), visit);
  }
  // That for the n-th of `parts` parts; whether visit went on.
  template <class Visit>
  bool for_each_slot_of_part(std::size_t n, std::size_t parts, Visit&& visit) const {
    return for_each_slot_between(group_count() * n / parts, group_count() * (n + 1) / parts, visit);
  }

  // Frees all memory.
  void clear() noexcept {
    for_each_slot([this](Slot& slot) {
      destroy(slot);
      return true;
    });
    release();
    groups_ = no_groups();
    slots_ = nullptr;
    group_mask_ = size_ = limit_ = 0;
  }

  // Makes room for `entries` in all. Throws std::length_error if no memory could hold them.
  void reserve(std::size_t entries) {
    if (entries > kEntriesMax) throw_length_error("a map cannot hold that many entries");
    const std::size_t groups = groups_for(entries);
    if (groups > group_count()) rehash(groups);
  }

  // Room for `more` entries: as many calls of insert() move no slot.
  void make_room(std::size_t more) {
    if (size_ + more > limit_) rehash(std::max(groups_for(size_ + more), group_count()));
  }
  // Gives back what the entries do not need.
  void shrink_to_fit() {
    const std::size_t groups = groups_for(size_);
    if (groups == 0) {
      clear();
    } else if (groups < group_count()) {
      rehash(groups);
    }
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return group_count() * FlatGroup::kSlots; }
  [[nodiscard]] std::size_t bytes() const noexcept {
    return slots_ == nullptr ? 0 : units_for(group_count()) * sizeof(Unit);
  }
  [[nodiscard]] const Keys& keys() const noexcept { return keys_; }
  [[nodiscard]] Allocator& allocator() noexcept { return allocator_; }

  void check_invariants() const;

 private:
  struct alignas(std::max({alignof(FlatGroup), alignof(Slot)})) Unit {
    std::array<std::byte, std::max({alignof(FlatGroup), alignof(Slot)})> bytes;
  };
  using Units =
      std::allocator_traits<typename std::allocator_traits<Allocator>::template rebind_alloc<Unit>>;
  static_assert(std::is_same_v<typename Units::pointer, Unit*>, "fancy pointers are not supported");

  template <class Visit>
  bool for_each_slot_between(std::size_t begin, std::size_t end, Visit&& visit) const {
    for (std::size_t at = begin; at < end; ++at) {
      for (const std::uint32_t i : groups_[at].match_used()) {
        if (!visit(slots_[at * FlatGroup::kSlots + i])) return false;
      }
    }
    return true;
  }

  // What an empty table probes: one group that nobody writes.
  static FlatGroup* no_groups() noexcept {
    static constinit FlatGroup group;
    return &group;
  }
  static std::uint8_t tag_of(std::uint64_t hash) noexcept {
    return table::tag_from_bits(static_cast<std::uint8_t>(hash));
  }
  [[nodiscard]] std::size_t home(std::uint64_t hash) const noexcept {
    return hash >> 8 & group_mask_;
  }
  [[nodiscard]] std::size_t group_count() const noexcept {
    return slots_ == nullptr ? 0 : group_mask_ + 1;
  }

  static constexpr bool kHashIsNoexcept =
      noexcept(std::declval<const Keys&>().stored_hash(std::declval<const Slot&>().key));

  // How many entries `groups` take: seven eighths, or all of the only one.
  static std::size_t limit_of(std::size_t groups) noexcept {
    return groups <= 1 ? groups * FlatGroup::kSlots : groups * FlatGroup::kSlots * 7 / 8;
  }
  // What a table holds that takes all addresses of a process.
  static constexpr std::size_t kAddresses = std::size_t{1} << 47;
  static constexpr std::size_t kEntriesMax =
      std::bit_floor(kAddresses / (sizeof(FlatGroup) + FlatGroup::kSlots * sizeof(Slot))) *
      FlatGroup::kSlots * 7 / 8;
  static std::size_t groups_for(std::size_t entries) noexcept {
    if (entries <= limit_of(1)) return entries == 0 ? 0 : 1;
    const std::size_t groups = std::bit_ceil((entries * 8 / 7 + 14) / FlatGroup::kSlots);
    return limit_of(groups) >= entries ? groups : groups * 2;
  }
  // Twice as many if the table is full; as many if erasures only used up its overflow bits.
  [[nodiscard]] std::size_t groups_for_one_more() const noexcept {
    return std::max(groups_for(size_ + size_ / 3 + 1), group_count());
  }
  static std::size_t units_for(std::size_t groups) noexcept {
    const std::size_t bytes =
        groups * (sizeof(FlatGroup) + FlatGroup::kSlots * sizeof(Slot)) + alignof(Slot);
    return (bytes + sizeof(Unit) - 1) / sizeof(Unit);
  }
  static Slot* slots_behind(FlatGroup* groups, std::size_t count) noexcept {
    constexpr std::size_t kAlignment = alignof(Slot);
    const auto end = reinterpret_cast<std::uintptr_t>(groups + count);
    return reinterpret_cast<Slot*>((end + kAlignment - 1) & ~(kAlignment - 1));
  }

  // Memory of a table, freed unless it was taken over.
  struct Arrays {
    explicit Arrays(const Allocator& from, std::size_t count)
        : allocator(from), unit_count(units_for(count)) {
      units = Units::allocate(allocator, unit_count);
      groups = reinterpret_cast<FlatGroup*>(units);
      std::uninitialized_default_construct_n(groups, count);
    }
    ~Arrays() {
      if (units != nullptr) Units::deallocate(allocator, units, unit_count);
    }
    Arrays(const Arrays&) = delete;
    Arrays& operator=(const Arrays&) = delete;

    typename Units::allocator_type allocator;
    std::size_t unit_count;
    Unit* units = nullptr;
    FlatGroup* groups = nullptr;
  };

  void take_over(Arrays& arrays, std::size_t count) noexcept {
    groups_ = arrays.groups;
    slots_ = slots_behind(groups_, count);
    group_mask_ = count - 1;
    limit_ = limit_of(count);
    arrays.units = nullptr;
  }
  void release() noexcept {
    if (slots_ == nullptr) return;
    typename Units::allocator_type allocator(allocator_);
    Units::deallocate(allocator, reinterpret_cast<Unit*>(groups_), units_for(group_count()));
  }

  // The index of a free slot for the hash, marked as used.
  static std::size_t claim(FlatGroup* groups, std::size_t mask, std::uint64_t hash) noexcept {
    std::size_t at = hash >> 8 & mask;
    for (std::size_t step = 1;; ++step) {
      FlatGroup& group = groups[at];
      if (const table::BitMask free = group.match_free()) {
        group.tags[free.first()] = tag_of(hash);
        return at * FlatGroup::kSlots + free.first();
      }
      group.set_overflowed(hash);
      at = (at + step) & mask;
    }
  }

  // Gives a claimed slot back, and destroys its key, unless the slot was filled.
  struct Claim {
    ~Claim() {
      if (table == nullptr) return;
      if (has_key) Keys::destroy(table->slots_[index].key, table->allocator_);
      table->groups_[index / FlatGroup::kSlots].tags[index % FlatGroup::kSlots] = 0;
    }
    FlatTable* table;
    std::size_t index;
    bool has_key = false;
  };

  // Not inlined: what an operation does every time should be small enough to be.
  template <class... Args>
  [[gnu::noinline]] Slot* insert_after_rehash(const Probe& probe, Args&&... args) {
    Value value(std::forward<Args>(args)...);  // before: the arguments may lie in this table
    rehash(groups_for_one_more());
    return fill(probe, std::move(value));
  }

  // Not inlined: the operations that only find or replace keep their registers.
  template <class... Args>
  [[gnu::noinline]] Slot* fill(const Probe& probe, Args&&... args) {
    Claim claimed{this, claim(groups_, group_mask_, probe.hash())};
    Slot* slot = slots_ + claimed.index;
    probe.store(&slot->key, allocator_);
    claimed.has_key = true;
    Values::store(&slot->stored, allocator_, std::forward<Args>(args)...);
    claimed.table = nullptr;
    ++size_;
    return slot;
  }

  // All that may throw (allocating, hashing) happens before the first entry moves.
  [[gnu::noinline]] void rehash(std::size_t count) {
    Arrays arrays(allocator_, count);
    Slot* const slots = slots_behind(arrays.groups, count);
    std::vector<std::uint64_t> hashes;
    if constexpr (!kHashIsNoexcept) {
      hashes.reserve(size_);
      for_each_slot([&](Slot& slot) {
        hashes.push_back(keys_.stored_hash(slot.key));
        return true;
      });
    }
    auto next_hash = hashes.begin();
    for_each_slot([&](Slot& slot) {
      const std::uint64_t hash = kHashIsNoexcept ? keys_.stored_hash(slot.key) : *next_hash++;
      Slot* to = slots + claim(arrays.groups, count - 1, hash);
      std::construct_at(&to->key, std::move(slot.key));
      std::construct_at(&to->stored, std::move(slot.stored));
      std::destroy_at(&slot);
      return true;
    });
    release();
    take_over(arrays, count);
  }

  void copy_entries_of(const FlatTable& other);
  void destroy(Slot& slot) noexcept {
    Keys::destroy(slot.key, allocator_);
    Values::destroy(slot.stored, allocator_);
  }

  [[no_unique_address]] Keys keys_;
  [[no_unique_address]] Allocator allocator_;
  FlatGroup* groups_ = no_groups();
  Slot* slots_ = nullptr;
  std::size_t group_mask_ = 0;
  std::size_t size_ = 0;
  std::size_t limit_ = 0;  // entries at which the table is rehashed
};

template <class Key, class Value, class Hash, class Equal, class Allocator>
void FlatTable<Key, Value, Hash, Equal, Allocator>::copy_entries_of(const FlatTable& other) {
  if (other.size_ == 0) return;
  const std::size_t count = groups_for(other.size_);
  Arrays arrays(allocator_, count);
  take_over(arrays, count);
  struct ClearUnlessCopied {
    ~ClearUnlessCopied() {
      if (table != nullptr) table->clear();
    }
    FlatTable* table;
  } copying{this};
  other.for_each_slot([&](const Slot& from) {
    Claim claimed{this, claim(groups_, group_mask_, keys_.stored_hash(from.key))};
    Slot* slot = slots_ + claimed.index;
    Keys::copy(&slot->key, from.key, allocator_);
    claimed.has_key = true;
    Values::store(&slot->stored, allocator_, from.value());
    claimed.table = nullptr;
    ++size_;
    return true;
  });
  copying.table = nullptr;
}

template <class Key, class Value, class Hash, class Equal, class Allocator>
void FlatTable<Key, Value, Hash, Equal, Allocator>::check_invariants() const {
  std::size_t used = 0;
  for_each_slot([&](const Slot& slot) {
    const Probe probe(keys_, Keys::view(slot.key));
    const auto index = static_cast<std::size_t>(&slot - slots_);
    VIGIL_CHECK(
        groups_[index / FlatGroup::kSlots].tags[index % FlatGroup::kSlots] == tag_of(probe.hash()),
        "invariant 1: a tag is not that of its key");
    VIGIL_CHECK(!probe.matches(slot.key) || find(probe) == &slot,
                "invariants 1 and 2: a stored key is not found");
    ++used;
    return true;
  });
  VIGIL_CHECK(used == size_ && size_ <= limit_ && limit_ <= capacity(),
              "invariant 3: the counters are wrong");
}

}  // namespace vigil::maps::internal
