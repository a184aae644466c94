// SPDX-License-Identifier: Apache-2.0
#include "vigil/maps/sharded_map.h"
#include "vigil/tools/bench/maps/registry.h"

namespace vigil::tools {
namespace {

template <class Key>
using Sharded = VigilMap<ShardedMap<Key, BenchValue>, Key>;

template <class Key>
using ShardedWithoutDeadlines =
    VigilMap<ShardedMap<Key, BenchValue, DefaultHash<Key>, std::equal_to<Key>,
                        ShardedMapTraits{.deadlines = false}>,
             Key>;

}  // namespace

void add_vigil_maps(Registry& registry) {
  add_map<Sharded>(registry, "ShardedMap", Role::kVigil,
                   "reads take no lock and write no shared memory, writers lock one shard, growth "
                   "never stops readers, and entries may expire");
  add_map<ShardedWithoutDeadlines>(registry, "ShardedMap -ttl", Role::kVigil,
                                   "ShardedMap with ShardedMapTraits{.deadlines = false}: 8 bytes "
                                   "less per entry, for maps whose "
                                   "entries never expire");
}

}  // namespace vigil::tools
