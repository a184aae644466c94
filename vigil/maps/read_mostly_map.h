// SPDX-License-Identifier: Apache-2.0
//
// ReadMostlyMap: Go's sync.Map as a contract, over another algorithm. docs/maps.md compares the
// maps of the family.
//
// Use when: code is ported from Go; entries are read far more often than written, and an iteration
// should be able to stop. Use instead: ShardedMap for deadlines, for many writers and for very
// large maps; SnapshotMap where readers need all entries of one moment.
//
//   Go                  here                      Go                     here
//   Load                get, visit, contains      LoadAndDelete          take
//   Store               insert_or_assign          Delete                 erase
//   LoadOrStore         get_or_insert             CompareAndSwap         compare_exchange
//   Swap                exchange                  CompareAndDelete       compare_erase
//   Range               for_each                  Clear                  clear
//
// Requirements: Key can be copied, Value can be moved; Hash takes std::string_view where Key is
// std::string, else const Key&, and returns an integer; Equal compares two of these. The compiler
// says so in a sentence (internal/requirements.h).
//
// Thread safety: every member but construction and destruction may be called from any thread.
//
// Reads take no lock and write no shared memory, hits and misses alike; Go's read/dirty pair does
// so only for hits of keys that were promoted, locks on every miss while there are unpromoted keys,
// and copies the whole map after enough misses. Here a read is ShardedMap's: optimistic, under the
// sequence of the group it reads. That is why there is nothing to promote or expunge.
//
// Consistency: operations on one key are linearizable. for_each is Range's contract: no key is
// visited more than once; an entry that is present throughout is visited; of an entry that is
// stored, replaced or erased meanwhile for_each may show any value that it had during the call, or
// none. It is no snapshot: two entries may be shown although they never were there together.
// Stopping spares the visitor the rest, not the map the walk over it. for_each
// locks one shard at a time for the copying of some hundred entries, not while the visitor runs.
//
// Callbacks: those of visit and for_each run without a lock and may use the map; those of update,
// erase_if and compare_* may read it but not write it, which VIGIL_CHECK stops. Values that can
// only be moved: see ShardedMap.
//
//   allowed:    map.for_each([&](const auto& key, const Value&) { map.erase(key); });
//   forbidden:  map.update(a, [&](Value& v) { map.erase(b); });    // stopped, with a message
//
// Complexity, memory, exceptions, no allocator: as ShardedMap (sharded_map.h), with a quarter of
// its shards. Left out on purpose: iterators, moves, emplace (concurrent_map.h says why).
//
// Example:
//   vigil::ReadMostlyMap<std::string, int> status;
//   assert(status.insert("/orders", 200));
//   assert(!status.get_or_insert("/orders", 404).inserted);
//   int seen = 0;
//   assert(status.visit("/orders", [&](int code) { seen = code; }) && seen == 200);
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "vigil/maps/default_hash.h"
#include "vigil/maps/map_options.h"
#include "vigil/maps/sharded_map.h"
#include "vigil/stacks/type_name.h"

namespace vigil {

using ReadMostlyMapStats = ShardedMapStats;

template <class Key, class Value, class Hash = DefaultHash<Key>, class Equal = std::equal_to<Key>>
class ReadMostlyMap {
  using Map = ShardedMap<Key, Value, Hash, Equal, ShardedMapTraits{.deadlines = false}>;

 public:
  using key_type = Key;
  using mapped_type = Value;
  using hasher = Hash;
  using key_equal = Equal;
  using lookup_type = typename Map::lookup_type;
  using key_argument = typename Map::key_argument;  // one of several keys
  using GetOrInsertResult = vigil::GetOrInsertResult<Value>;
  using Pin = typename Map::Pin;

  explicit ReadMostlyMap(Hash hash = Hash(), Equal equal = Equal())
      : ReadMostlyMap(MapOptions(), std::move(hash), std::move(equal)) {}
  explicit ReadMostlyMap(MapOptions options, Hash hash = Hash(), Equal equal = Equal())
      : map_(map_type_name<"ReadMostlyMap", Key, Value>(),
             {.shards = 16, .name = std::move(options.name)}, std::move(hash), std::move(equal)) {}

  // --- Reads ---------------------------------------------------------------------------------

  // A copy of the value.
  [[nodiscard]] std::optional<Value> get(
      lookup_type key) const requires std::copy_constructible<Value> {
    return map_.get(key);
  }
  // Calls visitor(const Value&); returns whether there was an entry.
  template <class Visitor>
  bool visit(lookup_type key, Visitor&& visitor) const {
    return map_.visit(key, std::forward<Visitor>(visitor));
  }
  [[nodiscard]] bool contains(lookup_type key) const { return map_.contains(key); }

  // The value of the entry, to keep and to read outside of any callback (map_pin.h).
  [[nodiscard]] Pin pin(lookup_type key) const requires std::copy_constructible<Value> {
    return map_.pin(key);
  }

  // --- Writes --------------------------------------------------------------------------------

  // Adds an entry if there is none; returns whether it did.
  template <class V = Value>
  bool insert(lookup_type key, V&& value) {
    return map_.insert(key, std::forward<V>(value));
  }
  // Adds an entry or replaces its value; returns whether it added.
  template <class V = Value>
  bool insert_or_assign(lookup_type key, V&& value) {
    return map_.insert_or_assign(key, std::forward<V>(value));
  }
  // The value of the entry; adds it first if there is none.
  GetOrInsertResult get_or_insert(lookup_type key, const Value& value) {
    return map_.get_or_insert(key, value);
  }
  // Adds an entry with a Value(args...) if there is none; returns whether it did.
  template <class... Args>
  bool try_emplace(lookup_type key, Args&&... args) {
    return map_.try_emplace(key, std::forward<Args>(args)...);
  }
  // The value of the entry; adds make() first if there is none. make runs once per entry added.
  template <class Make>
  GetOrInsertResult get_or_compute(lookup_type key, Make&& make) {
    return map_.get_or_compute(key, make);
  }
  // Adds on_missing() if there is no entry, else calls on_present(Value&); returns whether it
  // added.
  template <class OnMissing, class OnPresent>
  bool upsert(lookup_type key, OnMissing&& on_missing, OnPresent&& on_present) {
    return map_.upsert(key, on_missing, on_present);
  }
  // Calls compute(std::optional<Value>&); what it leaves there becomes the entry, nothing means
  // none. Returns whether there is one.
  template <class Compute>
  bool compute(lookup_type key, Compute&& compute) {
    return map_.compute(key, compute);
  }
  // Calls change(MapValues<Value>&) with the values of all keys (map_values.h); what it leaves
  // there becomes the entries, at one moment. Returns what it returned.
  template <class Change>
  auto with_keys(std::span<const key_argument> keys, Change&& change) {
    return map_.with_keys(keys, change);
  }
  template <class Change>
  auto with_keys(std::initializer_list<key_argument> keys, Change&& change) {
    return map_.with_keys(keys, change);
  }
  // Stores the value; returns the one that was there.
  template <class V = Value>
  std::optional<Value> exchange(lookup_type key, V&& value) {
    return map_.exchange(key, std::forward<V>(value));
  }
  // Replaces a value that equals `expected`; returns whether it did.
  template <class V = Value>
  bool compare_exchange(lookup_type key, const Value& expected, V&& desired) {
    return map_.compare_exchange(key, expected, std::forward<V>(desired));
  }
  // Calls change(Value&) as the only writer of the key; returns whether there was an entry.
  template <class Change>
  bool update(lookup_type key, Change&& change) {
    return map_.update(key, std::forward<Change>(change));
  }
  // Calls change(Value&) if predicate(const Value&), in one step; returns whether it did.
  template <class Predicate, class Change>
  bool update_if(lookup_type key, Predicate&& predicate, Change&& change) {
    return map_.update_if(key, predicate, change);
  }
  // Removes the entry; returns whether there was one.
  bool erase(lookup_type key) { return map_.erase(key); }
  // Removes the entry and returns its value.
  std::optional<Value> take(lookup_type key) { return map_.take(key); }
  // Removes the entry if its value equals `expected`; returns whether it did.
  bool compare_erase(lookup_type key, const Value& expected) {
    return map_.compare_erase(key, expected);
  }
  // Removes the entry if predicate(const Value&); returns whether it did.
  template <class Predicate>
  bool erase_if(lookup_type key, Predicate&& predicate) {
    return map_.erase_if(key, std::forward<Predicate>(predicate));
  }

  // --- Bulk ----------------------------------------------------------------------------------

  // Calls visitor(lookup_type key, const Value&) until it returns false; one that returns nothing
  // sees all entries.
  template <class Visitor>
  void for_each(Visitor&& visitor) const {
    map_.for_each(visitor);
  }
  // for_each() by the calling thread and up to `threads` - 1 others, which call the visitor at the
  // same time; ends when all have. What one of them throws ends it and is thrown here.
  template <class Visitor>
  void parallel_for_each(unsigned threads, Visitor&& visitor) const {
    map_.parallel_for_each(threads, visitor);
  }
  // Calls change(key, Value&) as the only writer of one key after the other; returns how many.
  template <class Change>
  std::uint64_t update_all(Change&& change) {
    return map_.update_all(change);
  }
  // Removes the entries for which predicate(key, const Value&); returns how many. If the predicate
  // throws, what was removed so far stays removed.
  template <class Predicate>
  std::uint64_t erase_if(Predicate&& predicate) {
    return map_.erase_if(std::forward<Predicate>(predicate));
  }
  // Removes every entry that was there when clear() was called.
  void clear() { map_.clear(); }
  void reserve(std::uint64_t entries) { map_.reserve(entries); }
  // Gives back what reserve() and entries that are gone have taken, then reclaims. O(size).
  void shrink_to_fit() { map_.shrink_to_fit(); }
  // Destroys the keys and values that were erased or replaced and that no reader uses.
  void reclaim() { map_.reclaim(); }

  // --- Statistics and debugging ----------------------------------------------------------------

  [[nodiscard]] std::uint64_t size() const noexcept { return map_.size(); }
  [[nodiscard]] bool empty() const noexcept { return map_.empty(); }
  // As dumps name the map.
  [[nodiscard]] const std::string& name() const noexcept { return map_.name(); }
  [[nodiscard]] ReadMostlyMapStats stats() const noexcept { return map_.stats(); }
  void check_invariants() const { map_.check_invariants(); }

 private:
  Map map_;
};

}  // namespace vigil
