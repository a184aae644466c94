// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <barrier>
#include <thread>

#include "vigil/base/clock.h"
#include "vigil/tools/bench/maps/measure.h"

namespace vigil::tools {
namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

template <class Key>
struct Rival {
  const MapEntry* entry;
  std::unique_ptr<Contender<Key>> map;
};

// Operations per microsecond of `threads` threads.
template <class Key>
double run_once(Contender<Key>& map, const KeyStream<Key>& keys, const OperationStream& operations,
                std::uint32_t threads, std::chrono::milliseconds duration) {
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> done{0};
  std::barrier start(threads + 1);
  std::vector<std::thread> running;
  for (std::uint32_t n = 0; n < threads; ++n) {
    running.emplace_back([&, n] {
      const Lane<Key> lane{&keys, &operations, KeyStream<Key>::kSize / threads * n};
      start.arrive_and_wait();
      done += map.run(lane, stop);
    });
  }
  start.arrive_and_wait();
  const std::int64_t begin = monotonic_ns();
  std::this_thread::sleep_for(duration);
  stop.store(true);
  for (std::thread& thread : running) thread.join();
  return static_cast<double>(done.load()) * 1e3 / static_cast<double>(monotonic_ns() - begin);
}

// All cells of one key type and one number of entries: the maps are filled once.
template <class Key>
class Block {
 public:
  Block(const MixPlan& plan, const Registry& maps, std::size_t key_bytes, std::uint64_t entries,
        MapsResults& results)
      : plan_(plan), keys_(key_bytes), entries_(entries), results_(results) {
    for (const MapEntry& entry : maps) rivals_.push_back({&entry, entry.template make<Key>()});
    for (Rival<Key>& rival : rivals_) rival.map->fill(keys_, entries);
  }

  template <class OnCell>
  void run(OnCell&& on_cell) {
    for (const Distribution distribution : plan_.distributions) {
      const KeyStream<Key> stream(keys_, distribution, entries_);
      for (const std::uint32_t read_percent : plan_.read_percents) {
        const OperationStream operations(read_percent);
        for (const std::uint32_t threads : plan_.threads) {
          MixCell cell{{},           keys_.name(), entries_,
                       read_percent, threads,      std::string(name_of(distribution))};
          on_cell(cell);
          run_cell(cell, stream, operations);
        }
      }
    }
  }

 private:
  void run_cell(const MixCell& load, const KeyStream<Key>& stream,
                const OperationStream& operations) {
    std::vector<std::vector<double>> mops(rivals_.size());
    for (std::uint32_t repeat = 0; repeat < plan_.repeats; ++repeat) {
      for (std::size_t i = 0; i < rivals_.size(); ++i) {
        if (!rivals_[i].entry->can_do(load.threads, load.read_percent)) continue;
        mops[i].push_back(
            run_once(*rivals_[i].map, stream, operations, load.threads, plan_.duration));
      }
    }
    for (std::size_t i = 0; i < rivals_.size(); ++i) {
      if (mops[i].empty()) continue;
      const MapEntry& entry = *rivals_[i].entry;
      MixCell cell = load;
      cell.map = entry.name;
      cell.mops = median(mops[i]);
      cell.peer = entry.is_peer();
      (entry.one_thread_only() ? results_.limits : results_.cells).push_back(std::move(cell));
    }
  }

  const MixPlan& plan_;
  KeySet<Key> keys_;
  std::uint64_t entries_;
  MapsResults& results_;
  std::vector<Rival<Key>> rivals_;
};

}  // namespace

void measure_mixes(const MixPlan& plan, const Registry& maps, const Progress& progress,
                   MapsResults& results) {
  std::uint64_t done = 0;
  const auto on_cell = [&](const MixCell& cell) {
    progress(cell.key + ", " + std::to_string(cell.entries) + " entries, " +
                 std::to_string(cell.read_percent) + " % reads, " + cell.distribution + ", " +
                 std::to_string(cell.threads) + " threads",
             static_cast<double>(done++) / static_cast<double>(plan.cells()));
  };
  for (const std::size_t bytes : plan.key_bytes) {
    for (const std::uint64_t entries : plan.entries) {
      if (bytes == sizeof(std::uint64_t)) {
        Block<std::uint64_t>(plan, maps, bytes, entries, results).run(on_cell);
      } else {
        Block<std::string>(plan, maps, bytes, entries, results).run(on_cell);
      }
    }
  }
}

}  // namespace vigil::tools
