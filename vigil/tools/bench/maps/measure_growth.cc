// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <thread>

#include "vigil/base/clock.h"
#include "vigil/base/random.h"
#include "vigil/tools/bench/maps/measure.h"

namespace vigil::tools {
namespace {

using Key = std::uint64_t;

// Stands for no map at all.
class NullMap final : public Contender<Key> {
 public:
  bool read(const Key&, BenchValue&) override { return true; }
  void write(const Key&, const BenchValue&) override {}
  void fill(const KeySet<Key>&, std::uint64_t) override {}
  std::uint64_t run(const Lane<Key>&, const std::atomic<bool>&) override { return 0; }
};

// The longest of a reader's lookups among the keys that are there already.
std::int64_t read_until(Contender<Key>& map, const std::atomic<std::uint64_t>& inserted,
                        std::uint64_t entries) {
  const KeySet<Key> keys(sizeof(Key));
  Random random(1);
  BenchValue value;
  std::int64_t longest_ns = 0;
  for (std::uint64_t there = 0; there != entries;
       there = inserted.load(std::memory_order_relaxed)) {
    const Key key = keys.key(random.below(there + 1));
    const std::int64_t begin = monotonic_ns();
    map.read(key, value);
    longest_ns = std::max(longest_ns, monotonic_ns() - begin);
  }
  return longest_ns;
}

struct Growth {
  std::vector<std::uint32_t> insert_ns;  // sorted
  std::int64_t reader_max_ns = 0;
};

Growth grow_once(Contender<Key>& map, std::uint64_t entries) {
  const KeySet<Key> keys(sizeof(Key));
  Growth growth;
  growth.insert_ns.resize(entries);
  std::atomic<std::uint64_t> inserted{0};
  std::thread reader([&] { growth.reader_max_ns = read_until(map, inserted, entries); });
  for (std::uint64_t n = 0; n < entries; ++n) {
    const Key key = keys.key(n);
    const std::int64_t begin = monotonic_ns();
    map.write(key, BenchValue{n, n});
    growth.insert_ns[n] = static_cast<std::uint32_t>(monotonic_ns() - begin);
    inserted.store(n + 1, std::memory_order_relaxed);
  }
  reader.join();
  std::sort(growth.insert_ns.begin(), growth.insert_ns.end());
  return growth;
}

double median_at(const std::vector<Growth>& runs, double part) {
  std::vector<std::uint32_t> values;
  for (const Growth& run : runs) {
    values.push_back(
        run.insert_ns[static_cast<std::size_t>(static_cast<double>(run.insert_ns.size()) * part)]);
  }
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

GrowthRow row_of(const std::string& map, const std::vector<Growth>& runs) {
  const auto by_insert = [](const Growth& a, const Growth& b) {
    return a.insert_ns.back() < b.insert_ns.back();
  };
  const auto by_reader = [](const Growth& a, const Growth& b) {
    return a.reader_max_ns < b.reader_max_ns;
  };
  const Growth& least_insert = *std::min_element(runs.begin(), runs.end(), by_insert);
  const Growth& least_reader = *std::min_element(runs.begin(), runs.end(), by_reader);
  return {map, median_at(runs, 0.99) / 1e3, median_at(runs, 0.999) / 1e3,
          least_insert.insert_ns.back() / 1e6,
          static_cast<double>(least_reader.reader_max_ns) / 1e6};
}

}  // namespace

void measure_growth(const GrowthPlan& plan, const Registry& maps, const Progress& progress,
                    MapsResults& results) {
  std::vector<const MapEntry*> growing;
  for (const MapEntry& entry : maps) {
    if (!entry.one_thread_only() && !entry.reads_only) growing.push_back(&entry);
  }
  std::vector<std::vector<Growth>> runs(growing.size() + 1);
  const auto total = static_cast<double>(runs.size() * plan.repeats);
  double done = 0;
  for (std::uint32_t repeat = 0; repeat < plan.repeats; ++repeat) {
    for (std::size_t i = 0; i < runs.size(); ++i) {
      progress("growth of " + (i == 0 ? "nothing" : growing[i - 1]->name), done++ / total);
      const std::unique_ptr<Contender<Key>> map =
          i == 0 ? std::make_unique<NullMap>() : growing[i - 1]->with_numbers();
      runs[i].push_back(grow_once(*map, plan.entries));
    }
  }
  results.growth.push_back(row_of("(null loop)", runs[0]));
  for (std::size_t i = 0; i < growing.size(); ++i) {
    results.growth.push_back(row_of(growing[i]->name, runs[i + 1]));
  }
}

}  // namespace vigil::tools
