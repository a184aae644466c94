// SPDX-License-Identifier: Apache-2.0

// The package's headers do not compile under this project's warnings.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <tbb/concurrent_hash_map.h>
#pragma GCC diagnostic pop

#include "vigil/tools/bench/maps/registry.h"

namespace vigil::tools {
namespace {

template <class Key>
class Tbb {
 public:
  bool read(const Key& key, BenchValue& value) {
    typename Map::const_accessor entry;
    if (!map_.find(entry, key)) return false;
    value = entry->second;
    return true;
  }
  void write(const Key& key, const BenchValue& value) {
    typename Map::accessor entry;
    map_.insert(entry, key);
    entry->second = value;
  }

 private:
  using Map = tbb::concurrent_hash_map<Key, BenchValue>;
  Map map_;
};

}  // namespace

void add_tbb_maps(Registry& registry) { add_map<Tbb>(registry, "oneTBB", Role::kConcurrentMap); }

}  // namespace vigil::tools
