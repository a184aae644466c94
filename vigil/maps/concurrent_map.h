// SPDX-License-Identifier: Apache-2.0
//
// ConcurrentMap<M>: the one vocabulary of the map family, as a concept. Code that is written
// against it works with ShardedMap, ReadMostlyMap, StripedMap, RwMap, SnapshotMap, and CheckedMap
// (which has the vocabulary but asks for one thread at a time).
//
//   get(key)                     a copy of the value, or nothing             Go's sync.Map: Load
//   visit(key, f)                f(const Value&) if there is an entry; for values that cannot be
//                                copied or are large
//   contains(key)
//   insert(key, v)               if absent; whether it added
//   insert_or_assign(key, v)     whether it added                                           Store
//   get_or_insert(key, v)        {value, inserted}                                    LoadOrStore
//   try_emplace(key, args...)    Value(args...) if absent, made only then; whether it added
//   get_or_compute(key, make)    {value, inserted}; make() runs once per entry that is added
//   upsert(key, missing, f)      missing() if absent, else f(Value&); whether it added
//   compute(key, f)              f(std::optional<Value>&): add, change or erase in one step;
//   whether
//                                there is an entry afterwards
//   with_keys({a, b}, f)         f(MapValues<Value>&): the same for several keys, at one moment;
//                                what f returned. Only for values that can be copied
//   exchange(key, v)             the previous value                                          Swap
//   compare_exchange(key, e, v)  if the value equals e; whether it did             CompareAndSwap
//   update(key, f)               f(Value&) as the only writer of the key; whether there was one
//   update_if(key, p, f)         f(Value&) if p(const Value&), in one step; whether it did
//   erase(key)                   whether there was one                                     Delete
//   erase_if(key, f)             if f(const Value&); whether it did
//   compare_erase(key, e)        if the value equals e; whether it did           CompareAndDelete
//   take(key)                    erases; the value                                  LoadAndDelete
//   for_each(f)                  f(lookup_type, const Value&) for each entry, until one     Range
//                                returns false
//   parallel_for_each(n, f)      for_each by n threads at the same time
//   update_all(f)                f(lookup_type, Value&) for each entry; how many
//   erase_if(f)                  where f(lookup_type, const Value&); how many
//   clear(), size(), empty(), reserve(n), shrink_to_fit(), stats(), check_invariants()
//
// Some have more: pin(key), a handle that keeps one value (ShardedMap, ReadMostlyMap: where values
// lie still while the map changes; where they do not, a pin would have to hold the map's lock);
// snapshot() and edit() (SnapshotMap); deadlines, sweep() and on_expiry() (ShardedMap).
//
// What all maps promise:
//   - Keys are looked up by lookup_type: std::string_view for std::string, else const Key&.
//   - Operations on one key are linearizable (CheckedMap: used as documented).
//   - No iterator or reference leaves the map; what a callback is given ends with the callback.
//   - A callback that uses the map in a way that could not work is stopped by VIGIL_CHECK with a
//     message, never a silent deadlock. Which uses do work is said by each map; none lets the
//     callback of a write write the same map.
//   - Absence is an empty optional or false. Exceptions of copies, Hash, Equal and callbacks, and
//     std::bad_alloc, propagate, and the operation has not happened.
//   - Hash and Equal are template arguments, Hash seeded per map unless it is the user's own.
//     Values that can only be moved are inserted, visited, updated in place and taken.
// Where maps differ (iteration as of one moment, waiting, memory) is said in docs/maps.md.
//
// What all maps leave out, and why:
//   - Iterators and operator[]: between two calls an iterator or a reference would have to hold a
//     lock, which no rule of the language bounds, or be ended by any other thread's write. A
//     callback ends where the map can vouch for what it shows. for_each and erase_if(predicate) do
//     what loops over iterators are for.
//   - Copies and moves of a map: other threads know it by its address. Keep it in a
//   std::unique_ptr.
//   - emplace: try_emplace says that it makes nothing if there is an entry; what replaces one is
//   made
//     before any lock is taken, so that no constructor runs inside.
//   - Initialiser lists and ranges: a loop over insert says which entry wins, and hides no
//   atomicity
//     that is not there.
//
// Thread safety: a concept; each map says its own.
//
// Example:
//   static_assert(!vigil::ConcurrentMap<int>);
//   const auto add_one = [](vigil::ConcurrentMap auto& map) { return map.insert(17, 1); };
//   static_cast<void>(add_one);
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>

#include "vigil/maps/map_values.h"

namespace vigil {

template <class M>
concept ConcurrentMap =
    requires(M& map, const M& const_map, typename M::lookup_type key, typename M::mapped_type value,
             void (*read)(const typename M::mapped_type&),
             void (*read_entry)(typename M::lookup_type, const typename M::mapped_type&),
             void (*change)(typename M::mapped_type&), typename M::mapped_type (*make)(),
             void (*compute)(std::optional<typename M::mapped_type>&),
             void (*change_entry)(typename M::lookup_type, typename M::mapped_type&),
             bool (*choose)(const typename M::mapped_type&),
             bool (*choose_entry)(typename M::lookup_type, const typename M::mapped_type&)) {
  typename M::key_type;
  typename M::hasher;
  typename M::key_equal;
  { const_map.visit(key, read) } -> std::same_as<bool>;
  { const_map.contains(key) } -> std::same_as<bool>;
  { map.insert(key, std::move(value)) } -> std::same_as<bool>;
  { map.insert_or_assign(key, std::move(value)) } -> std::same_as<bool>;
  { map.exchange(key, std::move(value)) } -> std::same_as<std::optional<typename M::mapped_type>>;
  { map.update(key, change) } -> std::same_as<bool>;
  { map.try_emplace(key, std::move(value)) } -> std::same_as<bool>;
  { map.upsert(key, make, change) } -> std::same_as<bool>;
  { map.compute(key, compute) } -> std::same_as<bool>;
  { map.update_if(key, choose, change) } -> std::same_as<bool>;
  { map.update_all(change_entry) } -> std::convertible_to<std::uint64_t>;
  { map.erase(key) } -> std::same_as<bool>;
  { map.erase_if(key, choose) } -> std::same_as<bool>;
  { map.take(key) } -> std::same_as<std::optional<typename M::mapped_type>>;
  {const_map.for_each(read_entry)};
  { map.erase_if(choose_entry) } -> std::convertible_to<std::uint64_t>;
  {map.clear()};
  {map.reserve(std::uint64_t{1})};
  {map.shrink_to_fit()};
  {const_map.parallel_for_each(2U, read_entry)};
  { const_map.size() } -> std::convertible_to<std::uint64_t>;
  { const_map.empty() } -> std::same_as<bool>;
  { const_map.stats().entries } -> std::convertible_to<std::uint64_t>;
  {const_map.check_invariants()};
}
&&(!std::copy_constructible<typename M::mapped_type> ||
   requires(M & map, const M& const_map, typename M::lookup_type key,
            const typename M::mapped_type& value, typename M::key_argument argument,
            bool (*together)(MapValues<typename M::mapped_type>&)) {
     { map.with_keys({argument, argument}, together) } -> std::same_as<bool>;
     { const_map.get(key) } -> std::same_as<std::optional<typename M::mapped_type>>;
     { map.get_or_insert(key, value).value } -> std::convertible_to<typename M::mapped_type>;
     { map.get_or_insert(key, value).inserted } -> std::convertible_to<bool>;
   }) &&
    (!std::equality_comparable<typename M::mapped_type> ||
     requires(M & map, typename M::lookup_type key, typename M::mapped_type value) {
       { map.compare_exchange(key, value, std::move(value)) } -> std::same_as<bool>;
       { map.compare_erase(key, value) } -> std::same_as<bool>;
     });

}  // namespace vigil
