// SPDX-License-Identifier: Apache-2.0
#include "vigil/maps/checked_map.h"
#include "vigil/maps/read_mostly_map.h"
#include "vigil/maps/rw_map.h"
#include "vigil/maps/sharded_map.h"
#include "vigil/maps/snapshot_map.h"
#include "vigil/maps/striped_map.h"
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

template <class Key>
using ReadMostly = VigilMap<ReadMostlyMap<Key, BenchValue>, Key>;

template <class Key>
using Striped = VigilMap<StripedMap<Key, BenchValue>, Key>;

template <class Key>
using Rw = VigilMap<RwMap<Key, BenchValue>, Key>;

template <class Key>
class Snapshots : public VigilMap<SnapshotMap<Key, BenchValue>, Key> {
 public:
  void fill(const KeySet<Key>& keys, std::uint64_t entries) {
    this->map().edit([&](auto& draft) {
      for (std::uint64_t n = 0; n < entries; ++n) {
        draft.insert_or_assign(keys.key(n), BenchValue{n, n});
      }
    });
  }
};

template <class Key>
using Checked = VigilMap<CheckedMap<Key, BenchValue>, Key>;

}  // namespace

void add_vigil_maps(Registry& registry) {
  add_map<Sharded>(registry, "ShardedMap", Role::kVigil,
                   "reads take no lock and write no shared memory, writers lock one shard, growth "
                   "never stops readers, and entries may expire");
  add_map<ShardedWithoutDeadlines>(registry, "ShardedMap -ttl", Role::kVigil,
                                   "ShardedMap with ShardedMapTraits{.deadlines = false}: 8 bytes "
                                   "less per entry, for maps whose "
                                   "entries never expire");
  add_map<ReadMostly>(registry, "ReadMostlyMap", Role::kVigil,
                      "Go's sync.Map as a contract: reads take no lock and write no shared memory, "
                      "an iteration may stop, and 16 shards cost a small map less");
  add_map<Striped>(registry, "StripedMap", Role::kVigil,
                   "the least work per write: 64 flat tables behind spin locks, which readers take "
                   "as well, so for few threads and as many writes as reads");
  add_map<Rw>(registry, "RwMap", Role::kVigil,
              "an iteration sees one moment of the whole map, and readers on different processors "
              "write no line in common; writers hold off readers");
  add_map<Snapshots>(registry, "SnapshotMap", Role::kVigil,
                     "readers take no lock and see one moment for as long as they like; every "
                     "write copies the map, so only for content that is replaced as a whole")
      .reads_only = true;
  add_map<Checked>(registry, "CheckedMap", Role::kVigilOneThread,
                   "the map of one thread, which reports any other that uses it");
}

}  // namespace vigil::tools
