// SPDX-License-Identifier: Apache-2.0
//
// The limit: a plain flat map, without any lock, on one thread. (Boost's concurrent_flat_map came
// with 1.83; Debian 12 has 1.81.)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <boost/unordered/unordered_flat_map.hpp>
#pragma GCC diagnostic pop

#include "vigil/maps/default_hash.h"
#include "vigil/tools/bench/maps/registry.h"

namespace vigil::tools {
namespace {

template <class Key>
class RawFlatMap {
 public:
  bool read(const Key& key, BenchValue& value) {
    const auto found = map_.find(key);
    if (found == map_.end()) return false;
    value = found->second;
    return true;
  }
  void write(const Key& key, const BenchValue& value) { map_.insert_or_assign(key, value); }

 private:
  boost::unordered_flat_map<Key, BenchValue, DefaultHash<Key>> map_;
};

}  // namespace

void add_boost_limit(Registry& registry) {
  add_map<RawFlatMap>(registry, "raw, no lock", Role::kLimit);
}

}  // namespace vigil::tools
