// SPDX-License-Identifier: Apache-2.0
//
// GuardedMap: a FlatMap of which each operation runs inside a guard. What the guard does is what
// tells RwMap (takes a lock) from CheckedMap (notices that it is not alone).
//
//   struct SomeGuarding {
//     static constexpr bool kWaits;   // a second guard on the same thread would wait for ever
//     static constexpr MapSharing kSharing;
//     SomeGuarding(const MapLabel&, ...);
//     class Read  { Read(SomeGuarding&, MapOperation); ~Read(); bool still_valid(); };
//     class Write { Write(SomeGuarding&, MapOperation); ~Write(); };
//   };
//
// still_valid() is asked between two entries of an iteration and ends it if false.
//
// The operations without callbacks are flattened: one function with its guard, not three nested
// ones, is what keeps a check of ten instructions at ten.
//
// Callbacks run inside the guard: they must not use the same map, which VIGIL_CHECK stops.
//
// Thread safety: what the guards make of it.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "vigil/maps/internal/flat/flat_map.h"
#include "vigil/maps/internal/parts.h"
#include "vigil/maps/internal/reentry.h"
#include "vigil/maps/internal/visitor.h"
#include "vigil/maps/map_options.h"
#include "vigil/stacks/map_mark.h"

namespace vigil::maps::internal {

template <class Map, class Guarding>
class GuardedMap {
  struct Unmarked {
    Unmarked(const MapLabel&, MapOperation) noexcept {}
  };
  // Where no callback runs only a copy, an end or the hash of the user could call back. Without any
  // of these a mark that serves dumps alone would be a tenth of CheckedMap's writes; its guard sets
  // one where it sleeps or reports. A write looks all the same whether it is a callback of this map
  // that writes: what that was given would be gone before the guard around it could notice.
  static constexpr bool kHolds = Guarding::kWaits || !Map::kRunsNoUserCode;
  using Mark = std::conditional_t<kHolds, HeldMap, Unmarked>;
  using WriteMark = std::conditional_t<kHolds, HeldMap, UnheldMap>;
  using Read = typename Guarding::Read;
  using Write = typename Guarding::Write;
  using Op = MapOperation;

 public:
  using key_type = typename Map::key_type;
  using mapped_type = typename Map::mapped_type;
  using hasher = typename Map::hasher;
  using key_equal = typename Map::key_equal;
  using allocator_type = typename Map::allocator_type;
  using lookup_type = typename Map::lookup_type;
  using key_argument = typename Map::key_argument;  // one of several keys
  using GetOrInsertResult = typename Map::GetOrInsertResult;

  GuardedMap(const GuardedMap&) = delete;
  GuardedMap& operator=(const GuardedMap&) = delete;

  // --- Reads ---------------------------------------------------------------------------------

  // A copy of the value.
  [[nodiscard, gnu::flatten]] std::optional<mapped_type> get(
      lookup_type key) const requires std::copy_constructible<mapped_type> {
    const Mark mark(label_, Op::kGet);
    const Read read(guarding_, Op::kGet);
    return map_.get(key);
  }
  // Calls visitor(const Value&); returns whether there was an entry.
  template <class Visitor>
  bool visit(lookup_type key, Visitor&& visitor) const {
    const HeldMap mark(label_, Op::kGet);
    const Read read(guarding_, Op::kGet);
    return map_.visit(key, visitor);
  }
  [[nodiscard, gnu::flatten]] bool contains(lookup_type key) const {
    const Mark mark(label_, Op::kGet);
    const Read read(guarding_, Op::kGet);
    return map_.contains(key);
  }

  // --- Writes --------------------------------------------------------------------------------

  // Adds an entry if there is none; returns whether it did.
  template <class V = mapped_type>
  [[gnu::flatten]] bool insert(lookup_type key, V&& value) {
    const WriteMark mark(label_, Op::kInsert);
    const Write write(guarding_, Op::kInsert);
    return map_.insert(key, std::forward<V>(value));
  }
  // Adds an entry or replaces its value; returns whether it added.
  template <class V = mapped_type>
  [[gnu::flatten]] bool insert_or_assign(lookup_type key, V&& value) {
    const WriteMark mark(label_, Op::kInsertOrAssign);
    const Write write(guarding_, Op::kInsertOrAssign);
    return map_.insert_or_assign(key, std::forward<V>(value));
  }
  // The value of the entry; adds it first if there is none.
  GetOrInsertResult get_or_insert(lookup_type key, const mapped_type& value) {
    const WriteMark mark(label_, Op::kGetOrInsert);
    const Write write(guarding_, Op::kGetOrInsert);
    return map_.get_or_insert(key, value);
  }
  // Adds an entry with a Value(args...) if there is none; returns whether it did.
  template <class... Args>
  bool try_emplace(lookup_type key, Args&&... args) {
    const HeldMap mark(label_, Op::kInsert);
    const Write write(guarding_, Op::kInsert);
    return map_.try_emplace(map_.probe(key), std::forward<Args>(args)...);
  }
  // The value of the entry; adds make() first if there is none. make runs once per entry added.
  template <class Make>
  GetOrInsertResult get_or_compute(lookup_type key, Make&& make) {
    const HeldMap mark(label_, Op::kGetOrInsert);
    const Write write(guarding_, Op::kGetOrInsert);
    return map_.get_or_compute(map_.probe(key), make);
  }
  // Adds on_missing() if there is no entry, else calls on_present(Value&); returns whether it
  // added.
  template <class OnMissing, class OnPresent>
  bool upsert(lookup_type key, OnMissing&& on_missing, OnPresent&& on_present) {
    const HeldMap mark(label_, Op::kUpdate);
    const Write write(guarding_, Op::kUpdate);
    return map_.upsert(map_.probe(key), on_missing, on_present);
  }
  // Calls compute(std::optional<Value>&); what it leaves there becomes the entry, nothing means
  // none. Returns whether there is one.
  template <class Compute>
  bool compute(lookup_type key, Compute&& compute) {
    const HeldMap mark(label_, Op::kUpdate);
    const Write write(guarding_, Op::kUpdate);
    return map_.compute(map_.probe(key), compute);
  }
  // Calls change(MapValues<Value>&) with the values of all keys (map_values.h); what it leaves
  // there becomes the entries. Returns what it returned. O(k log k) for k keys.
  template <class Change>
  auto with_keys(std::span<const key_argument> keys, Change&& change) {
    const HeldMap mark(label_, Op::kUpdate);
    const Write write(guarding_, Op::kUpdate);
    return map_.with_keys(keys, change);
  }
  template <class Change>
  auto with_keys(std::initializer_list<key_argument> keys, Change&& change) {
    return with_keys(std::span<const key_argument>(keys.begin(), keys.size()), change);
  }
  // Stores the value; returns the one that was there.
  template <class V = mapped_type>
  std::optional<mapped_type> exchange(lookup_type key, V&& value) {
    const WriteMark mark(label_, Op::kExchange);
    const Write write(guarding_, Op::kExchange);
    return map_.exchange(key, std::forward<V>(value));
  }
  // Replaces a value that equals `expected`; returns whether it did.
  template <class V = mapped_type>
  bool compare_exchange(lookup_type key, const mapped_type& expected, V&& desired) {
    const HeldMap mark(label_, Op::kCompareExchange);
    const Write write(guarding_, Op::kCompareExchange);
    return map_.compare_exchange(key, expected, std::forward<V>(desired));
  }
  // Calls change(Value&); returns whether there was an entry.
  template <class Change>
  bool update(lookup_type key, Change&& change) {
    const HeldMap mark(label_, Op::kUpdate);
    const Write write(guarding_, Op::kUpdate);
    return map_.update(key, change);
  }
  // Calls change(Value&) if predicate(const Value&), in one step; returns whether it did.
  template <class Predicate, class Change>
  bool update_if(lookup_type key, Predicate&& predicate, Change&& change) {
    const HeldMap mark(label_, Op::kUpdate);
    const Write write(guarding_, Op::kUpdate);
    return map_.update_if(map_.probe(key), predicate, change);
  }
  // Removes the entry; returns whether there was one.
  [[gnu::flatten]] bool erase(lookup_type key) {
    const WriteMark mark(label_, Op::kErase);
    const Write write(guarding_, Op::kErase);
    return map_.erase(key);
  }
  // Removes the entry and returns its value.
  std::optional<mapped_type> take(lookup_type key) {
    const WriteMark mark(label_, Op::kTake);
    const Write write(guarding_, Op::kTake);
    return map_.take(key);
  }
  // Removes the entry if its value equals `expected`; returns whether it did.
  bool compare_erase(lookup_type key, const mapped_type& expected) {
    return erase_if(key, [&expected](const mapped_type& value) { return value == expected; });
  }
  // Removes the entry if predicate(const Value&); returns whether it did.
  template <class Predicate>
  bool erase_if(lookup_type key, Predicate&& predicate) {
    const HeldMap mark(label_, Op::kErase);
    const Write write(guarding_, Op::kErase);
    return map_.erase_if(key, predicate);
  }

  // --- Bulk ----------------------------------------------------------------------------------

  // Calls visitor(lookup_type key, const Value&) for every entry until it returns false; one that
  // returns nothing sees them all.
  template <class Visitor>
  void for_each(Visitor&& visitor) const {
    const HeldMap mark(label_, Op::kIterate);
    const Read read(guarding_, Op::kIterate);
    map_.for_each([&](const auto& key, const mapped_type& value) {
      return visited_goes_on(visitor, key, value) && read.still_valid();
    });
  }
  // for_each() by the calling thread and up to `threads` - 1 others, which call the visitor at the
  // same time; ends when all have. What one of them throws ends it and is thrown here.
  template <class Visitor>
  void parallel_for_each(unsigned threads, Visitor&& visitor) const {
    const HeldMap mark(label_, Op::kIterate);
    const Read read(guarding_, Op::kIterate);
    run_parts(threads, [&](std::uint64_t part) {
      const MapMark inside(label_, Op::kIterate, MapMark::Kind::kExclusive);  // on every thread
      return map_.for_each_of_part(part, kParts, [&](const auto& key, const mapped_type& value) {
        return visited_goes_on(visitor, key, value) && read.still_valid();
      });
    });
  }
  // Calls change(key, Value&) for every entry, in one step for all; returns how many.
  template <class Change>
  std::uint64_t update_all(Change&& change) {
    const HeldMap mark(label_, Op::kUpdate);
    const Write write(guarding_, Op::kUpdate);
    return map_.update_all(change);
  }
  // Removes the entries for which predicate(key, const Value&); returns how many. If the predicate
  // throws, what was removed so far stays removed.
  template <class Predicate>
  std::uint64_t erase_if(Predicate&& predicate) {
    const HeldMap mark(label_, Op::kErase);
    const Write write(guarding_, Op::kErase);
    return map_.erase_if(predicate);
  }
  // Removes every entry and frees the table.
  void clear() {
    const WriteMark mark(label_, Op::kClear);
    const Write write(guarding_, Op::kClear);
    map_.clear();
  }
  // Gives back the memory that the entries do not need. O(size).
  void shrink_to_fit() {
    const WriteMark mark(label_, Op::kReserve);
    const Write write(guarding_, Op::kReserve);
    map_.shrink_to_fit();
  }
  // Makes room for `entries` in all. Throws std::length_error if no memory could hold them.
  void reserve(std::uint64_t entries) {
    const WriteMark mark(label_, Op::kReserve);
    const Write write(guarding_, Op::kReserve);
    map_.reserve(entries);
  }

  // --- Statistics and debugging ----------------------------------------------------------------

  [[nodiscard]] std::uint64_t size() const {
    const Mark mark(label_, Op::kGet);
    const Read read(guarding_, Op::kGet);
    return map_.size();
  }
  [[nodiscard]] bool empty() const { return size() == 0; }
  // As dumps and reports name the map.
  [[nodiscard]] const std::string& name() const noexcept { return label_.name(); }
  void check_invariants() const {
    const HeldMap mark(label_, Op::kIterate);
    const Read read(guarding_, Op::kIterate);
    map_.check_invariants();
  }

 protected:
  // `arguments` are those of Guarding after the label.
  template <class... Arguments>
  GuardedMap(std::string name, std::string_view type, hasher hash, key_equal equal,
             const allocator_type& allocator, Arguments&&... arguments)
      : label_(this, std::move(name), type, Guarding::kSharing),
        map_(std::move(hash), std::move(equal), allocator),
        guarding_(label_, std::forward<Arguments>(arguments)...) {}
  ~GuardedMap() = default;

  [[nodiscard]] MapStats table_stats() const {
    const Mark mark(label_, Op::kGet);
    const Read read(guarding_, Op::kGet);
    return map_.stats();
  }
  [[nodiscard]] Guarding& guarding() const noexcept { return guarding_; }

 private:
  const MapLabel label_;
  Map map_;
  mutable Guarding guarding_;
};

}  // namespace vigil::maps::internal
