// SPDX-License-Identifier: Apache-2.0
//
// Two threads write and one reads a RwMap, a ReadMostlyMap, a StripedMap, a SnapshotMap and a
// locked CheckedMap; all three meet in a Lazy first.
#include <cstdint>
#include <mutex>
#include <thread>

#include "tests/races/require.h"

#include "vigil/maps/checked_map.h"
#include "vigil/maps/lazy.h"
#include "vigil/maps/read_mostly_map.h"
#include "vigil/maps/rw_map.h"
#include "vigil/maps/snapshot_map.h"
#include "vigil/maps/striped_map.h"

namespace {

using Key = std::uint64_t;
constexpr Key kEntries = 8;

int made = 0;
vigil::Lazy<int> lazy([] { return ++made; });

template <class Map>
void write(Map& map, Key first) {
  require(lazy.get() == 1, "made twice");
  for (Key key = first; key < 2 * kEntries; key += 2) map.insert_or_assign(key, key + 1);
  for (Key key = first; key < kEntries; key += 2) require(map.erase(key), "an entry was lost");
}

template <class Map>
void read(const Map& map) {
  require(lazy.get() == 1, "made twice");
  for (Key key = 0; key < 2 * kEntries; ++key) {
    const auto value = map.get(key);
    require(!value || *value == key + 1, "a foreign value");
  }
  map.for_each(
      [](const Key& key, const Key& value) { require(value == key + 1, "a foreign value"); });
}

template <class Map>
void meet_in() {
  Map map;
  {
    const std::jthread even([&] { write(map, 0); });
    const std::jthread odd([&] { write(map, 1); });
    const std::jthread reader([&] { read(map); });
  }
  require(map.size() == kEntries, "a wrong number of entries");
  map.check_invariants();
}

void meet_in_checked_map() {
  vigil::CheckedMap<Key, Key> map;
  std::mutex mutex;
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    map.update(1, [](Key& value) { ++value; });
  };
  map.insert_or_assign(1, 0);
  {
    const std::jthread first(count);
    const std::jthread second(count);
  }
  require(map.get(1) == 2, "an update was lost");
}

}  // namespace

int main() {
  meet_in<vigil::RwMap<Key, Key>>();
  meet_in<vigil::ReadMostlyMap<Key, Key>>();
  meet_in<vigil::StripedMap<Key, Key>>();
  meet_in<vigil::SnapshotMap<Key, Key>>();
  meet_in_checked_map();
}
