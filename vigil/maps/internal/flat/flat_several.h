// SPDX-License-Identifier: Apache-2.0
//
// with_keys() over FlatMaps: several entries of one map, or of several, change together. Whoever
// calls has all of the maps for itself.
//
// Thread safety: none. Exceptions: what Hash, Equal, copies and the callback throw, and
// std::bad_alloc; no entry has changed then, but a table may have grown.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "vigil/maps/internal/key_numbers.h"
#include "vigil/maps/map_values.h"

namespace vigil::maps::internal {

// Several keys, hashed, and which of them are distinct: in the order of their hashes.
template <class Probe>
struct SeveralKeys {
  std::vector<Probe> probes;
  KeyNumbers numbers;

  [[nodiscard]] const Probe& distinct(std::size_t n) const { return probes[numbers.first(n)]; }
};

template <class Probe, class KeyArgument, class Keys>
[[nodiscard]] SeveralKeys<Probe> several_keys(std::span<const KeyArgument> keys,
                                              const Keys& hashing) {
  std::vector<Probe> probes;
  probes.reserve(keys.size());
  for (const KeyArgument& key : keys) probes.emplace_back(hashing, key);
  KeyNumbers numbers(std::span<const Probe>(probes), [](std::uint64_t hash) { return hash; });
  return {std::move(probes), std::move(numbers)};
}

// Entries added so far, which are removed again unless all of them could be.
template <class Map>
class AddedEntries {
 public:
  explicit AddedEntries(std::size_t count) { entries_.reserve(count); }
  ~AddedEntries() {
    for (const auto& [map, entry] : entries_) map->remove(entry);
  }
  AddedEntries(const AddedEntries&) = delete;
  AddedEntries& operator=(const AddedEntries&) = delete;

  template <class Probe, class Value>
  void add(Map& map, const Probe& probe, Value&& value) {
    entries_.emplace_back(&map, map.add(probe, std::forward<Value>(value)));
  }
  void keep() noexcept { entries_.clear(); }

 private:
  std::vector<std::pair<Map*, typename Map::Entry>> entries_;
};

// Calls change(MapValues<Value>&) with the values of the keys, each in the map map_of(probe); what
// it leaves there becomes the entries.
template <class Probe, class MapOf, class Change>
auto change_several(const SeveralKeys<Probe>& keys, MapOf&& map_of, Change&& change) {
  using Map = std::remove_reference_t<std::invoke_result_t<MapOf&, const Probe&>>;
  using Values = MapValues<typename Map::mapped_type>;
  static_assert(std::is_copy_constructible_v<typename Map::mapped_type>,
                "with_keys() shows copies of the values: a Value that can only be moved cannot be "
                "changed together with others");
  static_assert(
      noexcept(std::declval<Map&>().replace(nullptr, std::declval<typename Map::mapped_type>())),
      "with_keys() needs a Value whose move constructor or move assignment does not "
      "throw");
  const std::size_t count = keys.numbers.distinct();
  // Every absent key might be added.
  for (std::size_t n = 0; n < count; ++n) {
    Map& map = map_of(keys.distinct(n));
    if (map.find(keys.distinct(n)) == nullptr) map.make_room(count);
  }
  std::vector<typename Map::Entry> entries(count, nullptr);
  Values values(keys.numbers.numbers(), count);
  for (std::size_t n = 0; n < count; ++n) {
    entries[n] = map_of(keys.distinct(n)).find(keys.distinct(n));
    if (entries[n] != nullptr) values.distinct(n).emplace(std::as_const(entries[n]->value()));
  }
  const auto store = [&] {
    AddedEntries<Map> added(count);
    for (std::size_t n = 0; n < count; ++n) {
      if (entries[n] != nullptr || !values.distinct(n).has_value()) continue;
      added.add(map_of(keys.distinct(n)), keys.distinct(n), std::move(*values.distinct(n)));
    }
    added.keep();
    for (std::size_t n = 0; n < count; ++n) {
      if (entries[n] == nullptr) continue;
      Map& map = map_of(keys.distinct(n));
      if (values.distinct(n).has_value()) {
        map.replace(entries[n], std::move(*values.distinct(n)));
      } else {
        map.remove(entries[n]);
      }
    }
  };
  if constexpr (std::is_void_v<std::invoke_result_t<Change&, Values&>>) {
    change(values);
    store();
  } else {
    auto result = change(values);
    store();
    return result;
  }
}

}  // namespace vigil::maps::internal
