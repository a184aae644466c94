// SPDX-License-Identifier: Apache-2.0
//
// One writer fills and empties a ShardedMap while a second thread reads, and a third changes the
// number of shards: growth, splits and the change of shards happen under the reader. A fourth
// replaces the value of one entry, without the shard's lock, which the writer moves and holds.
#include "vigil/maps/sharded_map.h"

#include <cstdint>
#include <optional>
#include <thread>

#include "tests/races/require.h"

namespace {

constexpr std::uint64_t kEntries = 40;
constexpr std::uint64_t kReplaced = 1'000;  // a key

using Map = vigil::ShardedMap<std::uint64_t, std::uint64_t>;

void fill_and_empty(Map& map) {
  for (std::uint64_t key = 0; key < kEntries; ++key) {
    map.insert_or_assign(key, key * 3);
    if (key % 8 == 0) map.update(kReplaced, [](std::uint64_t&) {});
  }
  for (std::uint64_t key = 0; key < kEntries; key += 2)
    require(map.erase(key), "an entry was lost");
}

void read_all(const Map& map) {
  for (std::uint64_t key = 0; key < kEntries; ++key) {
    const std::optional<std::uint64_t> value = map.get(key);
    require(!value || *value == key * 3, "a foreign or torn value");
  }
}

void replace(Map& map) {
  for (std::uint64_t value = 1; value <= kEntries / 2; ++value) {
    map.insert_or_assign(kReplaced, value);
    require(map.get(kReplaced) == value, "an assignment was undone");
  }
}

void change_shards(Map& map) {
  map.set_shard_count(4);
  map.set_shard_count(1);
}

}  // namespace

int main() {
  vigil::ShardedMapOptions options;
  options.shards = 2;
  Map map(options);
  map.insert(kReplaced, 0);
  {
    const std::jthread replacer([&] { replace(map); });
    const std::jthread writer([&] { fill_and_empty(map); });
    const std::jthread reader([&] { read_all(map); });
    const std::jthread resharder([&] { change_shards(map); });
  }
  require(map.size() == kEntries / 2 + 1, "a wrong number of entries");
  map.check_invariants();
}
