// SPDX-License-Identifier: Apache-2.0
//
// The family side by side in the article's mixes (100 % reads, 9:1, 30 % writes): 1,000 keys of 16
// characters, one and two threads. `vigil bench maps` compares with packaged maps over many more
// cells; this one is for working on a map.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/maps/internal/flat/flat_map.h"
#include "vigil/maps/read_mostly_map.h"
#include "vigil/maps/rw_map.h"
#include "vigil/maps/sharded_map.h"
#include "vigil/maps/snapshot_map.h"
#include "vigil/maps/striped_map.h"

namespace vigil {
namespace {

using Key = std::string;
using Value = std::uint64_t;

// What people write: a plain map and one lock.
template <class Mutex, class ReadLock>
class Locked {
 public:
  auto get(const Key& key) {
    const ReadLock lock(mutex_);
    return map_.get(key);
  }
  void insert_or_assign(const Key& key, Value value) {
    const std::lock_guard lock(mutex_);
    map_.insert_or_assign(key, value);
  }

 private:
  Mutex mutex_;
  maps::internal::FlatMap<Key, Value> map_;
};
using MutexMap = Locked<std::mutex, std::lock_guard<std::mutex>>;
using SharedMutexMap = Locked<std::shared_mutex, std::shared_lock<std::shared_mutex>>;

const std::vector<Key>& keys() {
  static const std::vector<Key> all = [] {
    std::vector<Key> result;
    for (int n = 0; n < 1'000; ++n) result.push_back("order-" + std::to_string(1'000'000'000 + n));
    return result;
  }();
  return all;
}

// range(0): percent of reads.
template <class Map>
void BM_Mix(benchmark::State& state) {
  static Map* map = nullptr;
  if (state.thread_index() == 0) {
    map = new Map();
    for (const Key& key : keys()) map->insert_or_assign(key, 1);
  }
  Random random(static_cast<std::uint64_t>(state.thread_index()) + 1);
  const auto reads = static_cast<std::uint64_t>(state.range(0));
  for (auto _ : state) {
    const Key& key = keys()[random.below(keys().size())];
    if (random.below(100) < reads) {
      benchmark::DoNotOptimize(map->get(key));
    } else {
      map->insert_or_assign(key, 2);
    }
  }
  if (state.thread_index() == 0) delete map;
}

// One line per map.
#define VIGIL_BENCH_MIXES(Map) \
  BENCHMARK(BM_Mix<Map>)->Arg(100)->Arg(90)->Arg(70)->ThreadRange(1, 2)->UseRealTime()

using Sharded = ShardedMap<Key, Value>;
using ReadMostly = ReadMostlyMap<Key, Value>;
using Striped = StripedMap<Key, Value>;
using Rw = RwMap<Key, Value>;
using Snapshots = SnapshotMap<Key, Value>;

VIGIL_BENCH_MIXES(Sharded);
VIGIL_BENCH_MIXES(ReadMostly);
VIGIL_BENCH_MIXES(Striped);
VIGIL_BENCH_MIXES(Rw);
VIGIL_BENCH_MIXES(Snapshots);
VIGIL_BENCH_MIXES(SharedMutexMap);
VIGIL_BENCH_MIXES(MutexMap);

}  // namespace
}  // namespace vigil
