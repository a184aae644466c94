// SPDX-License-Identifier: Apache-2.0
//
// A read hit of every map, each in a function of its own, for scripts/read_path_stores.py: the test
// read_path_stores counts the stores and locked instructions of these functions.
//
// Each returns what it read in a register, so that there is no result to store.
#include <cstdint>
#include <cstdio>
#include <string>

#include "vigil/maps/checked_map.h"
#include "vigil/maps/lazy.h"
#include "vigil/maps/read_mostly_map.h"
#include "vigil/maps/rw_map.h"
#include "vigil/maps/sharded_map.h"
#include "vigil/maps/snapshot_map.h"

namespace vigil {
namespace {

using Number = std::uint64_t;

template <class Map, class Key>
Number read(const Map& map, const Key& key) {
  Number value = 0;
  map.visit(key, [&value](Number found) { value = found; });
  return value;
}

// NOLINTBEGIN(misc-use-internal-linkage,bugprone-macro-parentheses): the names are looked up in the
// disassembly; the arguments are types
#define VIGIL_READ_PATH(Map, Key, name)                                               \
  extern "C" [[gnu::noinline, gnu::flatten]] Number name(const Map<Key, Number>& map, \
                                                         const Key& key) {            \
    return read(map, key);                                                            \
  }

VIGIL_READ_PATH(ShardedMap, Number, read_sharded_u64)
VIGIL_READ_PATH(ReadMostlyMap, Number, read_mostly_u64)
VIGIL_READ_PATH(RwMap, Number, read_rw_u64)
VIGIL_READ_PATH(SnapshotMap, Number, read_snapshot_u64)
VIGIL_READ_PATH(CheckedMap, Number, read_checked_u64)
VIGIL_READ_PATH(ShardedMap, std::string, read_sharded_string)
VIGIL_READ_PATH(ReadMostlyMap, std::string, read_mostly_string)
VIGIL_READ_PATH(RwMap, std::string, read_rw_string)
VIGIL_READ_PATH(SnapshotMap, std::string, read_snapshot_string)
VIGIL_READ_PATH(CheckedMap, std::string, read_checked_string)

extern "C" [[gnu::noinline, gnu::flatten]] Number read_lazy(Lazy<Number>& lazy) {
  return lazy.get();
}
// NOLINTEND(misc-use-internal-linkage,bugprone-macro-parentheses)

// Calls each of them, so that what is counted is also known to work.
template <class Map, class Key>
bool reads(Number (*read_path)(const Map&, const Key&), const Key& key) {
  Map map;
  map.insert(key, Number{17});
  return read_path(map, key) == 17;
}

bool all_read() {
  const Number number = 5;
  const std::string text = "order-0000000005";
  Lazy<Number> lazy(+[] { return Number{17}; });
  return reads(read_sharded_u64, number) && reads(read_mostly_u64, number) &&
         reads(read_rw_u64, number) && reads(read_snapshot_u64, number) &&
         reads(read_checked_u64, number) && reads(read_sharded_string, text) &&
         reads(read_mostly_string, text) && reads(read_rw_string, text) &&
         reads(read_snapshot_string, text) && reads(read_checked_string, text) &&
         read_lazy(lazy) == 17;
}

}  // namespace
}  // namespace vigil

int main() {
  if (vigil::all_read()) return 0;
  std::puts("a read path did not return what was stored");
  return 1;
}
