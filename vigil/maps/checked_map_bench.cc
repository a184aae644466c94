// SPDX-License-Identifier: Apache-2.0
//
// What CheckedMap's check costs over the same table without it, and what a mutex costs, on one
// thread. Repetitions are interleaved (--benchmark_enable_random_interleaving); for instruction
// counts run one case under `valgrind --tool=callgrind` (docs/maps.md has the commands).
#include <benchmark/benchmark.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/maps/checked_map.h"
#include "vigil/maps/internal/flat/flat_map.h"

namespace vigil {
namespace {

constexpr std::int64_t kIterations = 2'000'000;

template <class Key>
using Unchecked = maps::internal::FlatMap<Key, std::uint64_t>;
template <class Key>
using Checked = CheckedMap<Key, std::uint64_t>;

// The baseline that people use: the same table behind std::mutex.
template <class Key>
class Locked {
 public:
  auto get(const Key& key) {
    const std::lock_guard lock(mutex_);
    return map_.get(key);
  }
  auto insert_or_assign(const Key& key, std::uint64_t value) {
    const std::lock_guard lock(mutex_);
    return map_.insert_or_assign(key, value);
  }
  auto erase(const Key& key) {
    const std::lock_guard lock(mutex_);
    return map_.erase(key);
  }

 private:
  std::mutex mutex_;
  Unchecked<Key> map_;
};

template <class Key>
std::vector<Key> keys(std::int64_t count) {
  std::vector<Key> result;
  for (std::int64_t n = 0; n < count; ++n) {
    if constexpr (std::is_same_v<Key, std::string>) {
      std::string digits = std::to_string(n);
      result.push_back("id-" + std::string(13 - digits.size(), '0') + digits);
    } else {
      result.push_back(static_cast<Key>(n));
    }
  }
  Random random(7);
  for (std::size_t i = result.size(); i > 1; --i) std::swap(result[i - 1], result[random.below(i)]);
  return result;
}

// One operation, not inlined: otherwise the compiler inlines the smaller of two maps and not the
// other, and that is what is measured.
template <class Map, class Key, class Operation>
[[gnu::noinline]] void operate(Map& map, const Key& key, Operation operation) {
  operation(map, key);
}

template <class Map, class Key, class Operation>
void run(benchmark::State& state, Operation operation) {
  const std::vector<Key> all = keys<Key>(state.range(0));
  Map map;
  for (const Key& key : all) map.insert_or_assign(key, 1);
  std::size_t at = 0;
  for (auto _ : state) {
    operate(map, all[at], operation);
    if (++at == all.size()) at = 0;
  }
}

template <class Map, class Key>
void BM_Get(benchmark::State& state) {
  run<Map, Key>(state, [](Map& map, const Key& key) { benchmark::DoNotOptimize(map.get(key)); });
}
template <class Map, class Key>
void BM_Assign(benchmark::State& state) {
  run<Map, Key>(state, [](Map& map, const Key& key) { map.insert_or_assign(key, 2); });
}
template <class Map, class Key>
void BM_EraseInsert(benchmark::State& state) {
  run<Map, Key>(state, [](Map& map, const Key& key) {
    map.erase(key);
    map.insert_or_assign(key, 2);
  });
}

// One line per operation, key and map.
// NOLINTBEGIN(bugprone-macro-parentheses): the arguments are names of a template and a type
#define VIGIL_BENCH_MAPS(Operation, Key)                                                          \
  BENCHMARK(Operation<Unchecked<Key>, Key>)->Arg(1 << 10)->Arg(1 << 16)->Iterations(kIterations); \
  BENCHMARK(Operation<Checked<Key>, Key>)->Arg(1 << 10)->Arg(1 << 16)->Iterations(kIterations);   \
  BENCHMARK(Operation<Locked<Key>, Key>)->Arg(1 << 10)->Arg(1 << 16)->Iterations(kIterations)
// NOLINTEND(bugprone-macro-parentheses)

VIGIL_BENCH_MAPS(BM_Get, std::uint64_t);
VIGIL_BENCH_MAPS(BM_Assign, std::uint64_t);
VIGIL_BENCH_MAPS(BM_EraseInsert, std::uint64_t);
VIGIL_BENCH_MAPS(BM_Get, std::string);
VIGIL_BENCH_MAPS(BM_Assign, std::string);
VIGIL_BENCH_MAPS(BM_EraseInsert, std::string);

}  // namespace
}  // namespace vigil
