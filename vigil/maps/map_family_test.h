// SPDX-License-Identifier: Apache-2.0
//
// The map family for typed tests: each suite that uses these lists runs over every map.
//
// A case has a Map, its keys and values made from numbers, and back. Cases of kind "concurrent"
// may be used by several threads at once; CheckedMap may not.
//
// Thread safety: as the map of the case.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "vigil/maps/checked_map.h"
#include "vigil/maps/concurrent_map.h"
#include "vigil/maps/read_mostly_map.h"
#include "vigil/maps/rw_map.h"
#include "vigil/maps/sharded_map.h"
#include "vigil/maps/snapshot_map.h"
#include "vigil/maps/striped_map.h"

namespace vigil::maps::testing {

template <template <class...> class M>
struct Family {
  template <class Key, class Value>
  using Map = M<Key, Value>;
};
// ShardedMap has a parameter that is no type.
struct ShardedFamily {
  template <class Key, class Value>
  struct Map : ShardedMap<Key, Value> {
    Map() : ShardedMap<Key, Value>({.shards = 2, .max_entries = 1 << 20}) {}
  };
};

// Keys and values that lie in the table.
struct InlineEntries {
  using Key = std::uint64_t;
  using Value = std::uint64_t;
  static Key key(std::uint64_t n) { return n; }
  static Value value(std::uint64_t n) { return n; }
  static std::uint64_t number(Value value) { return value; }
};
// Short and long keys, and values on the heap.
struct TextEntries {
  using Key = std::string;
  using Value = std::string;
  static Key key(std::uint64_t n) { return std::string(n % 2 * 24, 'k') + std::to_string(n); }
  static Value value(std::uint64_t n) { return std::string(20, '0') + std::to_string(n); }
  static std::uint64_t number(const Value& value) { return std::stoull(value); }
};

template <class AFamily, class SomeEntries>
struct Case {
  using Entries = SomeEntries;
  using Key = typename Entries::Key;
  using Value = typename Entries::Value;
  using Map = typename AFamily::template Map<Key, Value>;
  template <class K, class V>
  using MapOf = typename AFamily::template Map<K, V>;
  static_assert(ConcurrentMap<Map>);
};

using RwFamily = Family<RwMap>;
using ReadMostlyFamily = Family<ReadMostlyMap>;
using StripedFamily = Family<StripedMap>;
using SnapshotFamily = Family<SnapshotMap>;
using CheckedFamily = Family<CheckedMap>;

using ConcurrentCases =
    ::testing::Types<Case<ShardedFamily, InlineEntries>, Case<ShardedFamily, TextEntries>,
                     Case<ReadMostlyFamily, InlineEntries>, Case<ReadMostlyFamily, TextEntries>,
                     Case<StripedFamily, InlineEntries>, Case<StripedFamily, TextEntries>,
                     Case<RwFamily, InlineEntries>, Case<RwFamily, TextEntries>,
                     Case<SnapshotFamily, InlineEntries>, Case<SnapshotFamily, TextEntries>>;
using AllCases =
    ::testing::Types<Case<ShardedFamily, InlineEntries>, Case<ShardedFamily, TextEntries>,
                     Case<ReadMostlyFamily, InlineEntries>, Case<ReadMostlyFamily, TextEntries>,
                     Case<StripedFamily, InlineEntries>, Case<StripedFamily, TextEntries>,
                     Case<RwFamily, InlineEntries>, Case<RwFamily, TextEntries>,
                     Case<SnapshotFamily, InlineEntries>, Case<SnapshotFamily, TextEntries>,
                     Case<CheckedFamily, InlineEntries>, Case<CheckedFamily, TextEntries>>;

// Runs work(n) on `threads` threads.
template <class Work>
void on_threads(int threads, Work work) {
  std::vector<std::thread> running;
  for (int n = 0; n < threads; ++n) running.emplace_back([&work, n] { work(n); });
  for (std::thread& thread : running) thread.join();
}

}  // namespace vigil::maps::testing
