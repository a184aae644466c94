// SPDX-License-Identifier: Apache-2.0
//
// ShardedMap against the peers that Debian packages: 64 abseil flat_hash_maps under spin locks,
// oneTBB's concurrent_hash_map, and the plain std::unordered_map behind a std::shared_mutex.
//
//   sharded_map_bench                          everything
//   sharded_map_bench --benchmark_filter=BM_Mix   BM_Mix<map, key>/read percent/entries/threads
//   sharded_map_bench --benchmark_filter=BM_Grow  latency of single inserts from 0 to 4 M entries
//
// Values are 16 bytes; keys are numbers or 16-character order ids. Mixes draw existing keys
// uniformly; a write replaces the value.
#include <benchmark/benchmark.h>

// The packages' headers do not compile under this project's warnings.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <absl/container/flat_hash_map.h>
#include <tbb/concurrent_hash_map.h>
#pragma GCC diagnostic pop

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "vigil/base/clock.h"
#include "vigil/base/random.h"
#include "vigil/base/spin_lock.h"
#include "vigil/maps/sharded_map.h"

namespace vigil {
namespace {

struct Value {
  std::uint64_t state;
  std::uint64_t updated;
};

template <class Key>
Key make_key(std::uint64_t n) {
  if constexpr (std::is_same_v<Key, std::string>) {
    std::string digits = std::to_string(n);
    return "order-" + std::string(10 - digits.size(), '0') + digits;
  } else {
    return n * 0x9E3779B97F4A7C15ULL;
  }
}

template <class Key>
class Vigil {
 public:
  bool read(const Key& key, Value& value) {
    return map_.visit(key, [&](const Value& found) { value = found; });
  }
  void write(const Key& key, const Value& value) { map_.insert_or_assign(key, value); }

 private:
  ShardedMap<Key, Value> map_;
};

template <class Key>
class SpinShards {
 public:
  bool read(const Key& key, Value& value) {
    Shard& shard = shard_of(key);
    const std::lock_guard guard(shard.lock);
    const auto found = shard.map.find(key);
    if (found == shard.map.end()) return false;
    value = found->second;
    return true;
  }
  void write(const Key& key, const Value& value) {
    Shard& shard = shard_of(key);
    const std::lock_guard guard(shard.lock);
    shard.map.insert_or_assign(key, value);
  }

 private:
  struct alignas(64) Shard {
    SpinLock lock;
    absl::flat_hash_map<Key, Value> map;
  };
  Shard& shard_of(const Key& key) { return shards_[absl::Hash<Key>{}(key) >> 58]; }

  std::array<Shard, 64> shards_;
};

template <class Key>
class Tbb {
 public:
  bool read(const Key& key, Value& value) {
    typename Map::const_accessor entry;
    if (!map_.find(entry, key)) return false;
    value = entry->second;
    return true;
  }
  void write(const Key& key, const Value& value) {
    typename Map::accessor entry;
    map_.insert(entry, key);
    entry->second = value;
  }

 private:
  using Map = tbb::concurrent_hash_map<Key, Value>;
  Map map_;
};

template <class Key>
class SharedMutex {
 public:
  bool read(const Key& key, Value& value) {
    const std::shared_lock guard(mutex_);
    const auto found = map_.find(key);
    if (found == map_.end()) return false;
    value = found->second;
    return true;
  }
  void write(const Key& key, const Value& value) {
    const std::unique_lock guard(mutex_);
    map_.insert_or_assign(key, value);
  }

 private:
  std::shared_mutex mutex_;
  std::unordered_map<Key, Value> map_;
};

template <class Map, class Key>
void BM_Mix(benchmark::State& state) {
  static std::unique_ptr<Map> map;
  static std::vector<Key> keys;
  const auto read_percent = static_cast<std::uint64_t>(state.range(0));
  const auto entries = static_cast<std::uint64_t>(state.range(1));
  if (state.thread_index() == 0) {
    map = std::make_unique<Map>();
    Random random(1);
    for (std::uint64_t i = 0; i < entries; ++i) map->write(make_key<Key>(i), Value{i, i});
    keys.clear();
    for (int i = 0; i < 1 << 18; ++i) keys.push_back(make_key<Key>(random.below(entries)));
  }
  Random random(static_cast<std::uint64_t>(state.thread_index()));
  std::size_t next = random.below(1 << 18);
  Value value{};
  for (auto _ : state) {
    const Key& key = keys[next++ & ((1 << 18) - 1)];
    if (read_percent == 100 || random.below(100) < read_percent) {
      benchmark::DoNotOptimize(map->read(key, value));
      benchmark::DoNotOptimize(value);
    } else {
      map->write(key, value);
    }
  }
  state.SetItemsProcessed(state.iterations());
  if (state.thread_index() == 0) map.reset();
}

// One insert is one sample; the counters are nanoseconds.
template <class Map, class Key>
void BM_Grow(benchmark::State& state) {
  constexpr std::uint64_t kEntries = 4'000'000;
  for (auto _ : state) {
    Map map;
    std::vector<std::uint32_t> latency_ns(kEntries);
    for (std::uint64_t i = 0; i < kEntries; ++i) {
      const Key key = make_key<Key>(i);
      const std::int64_t begin = monotonic_ns();
      map.write(key, Value{i, i});
      latency_ns[i] = static_cast<std::uint32_t>(monotonic_ns() - begin);
    }
    std::sort(latency_ns.begin(), latency_ns.end());
    state.counters["p50"] = latency_ns[kEntries / 2];
    state.counters["p99"] = latency_ns[kEntries / 100 * 99];
    state.counters["p99.9"] = latency_ns[kEntries / 1000 * 999];
    state.counters["max"] = latency_ns.back();
  }
}

void mixes(benchmark::internal::Benchmark* b) {
  for (const std::int64_t reads : {100, 95, 50}) {
    for (const std::int64_t entries : {1'000, 65'536, 1'000'000}) b->Args({reads, entries});
  }
  b->ThreadRange(1, 2)->UseRealTime();
}
void growth(benchmark::internal::Benchmark* b) { b->Iterations(1)->Unit(benchmark::kMillisecond); }

// A template name cannot stand in parentheses. NOLINTBEGIN(bugprone-macro-parentheses)
#define VIGIL_BENCH_MAP(Map)                                            \
  BENCHMARK(BM_Mix<Map<std::uint64_t>, std::uint64_t>)->Apply(mixes);   \
  BENCHMARK(BM_Mix<Map<std::string>, std::string>)->Apply(mixes);       \
  BENCHMARK(BM_Grow<Map<std::uint64_t>, std::uint64_t>)->Apply(growth); \
  BENCHMARK(BM_Grow<Map<std::string>, std::string>)->Apply(growth)
// NOLINTEND(bugprone-macro-parentheses)

VIGIL_BENCH_MAP(Vigil);
VIGIL_BENCH_MAP(SpinShards);
VIGIL_BENCH_MAP(Tbb);
VIGIL_BENCH_MAP(SharedMutex);

}  // namespace
}  // namespace vigil
