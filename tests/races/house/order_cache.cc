// SPDX-License-Identifier: Apache-2.0
//
// Two writers and a reader on one shard of the cache: a writer that finds the shard taken queues
// its write, and the thread inside applies it. Every write raises a counter; none may be lost.
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>

#include "tests/races/require.h"

#include "vigil/cache/cache.h"

namespace {

namespace cache = vigil::cache;

constexpr std::int64_t kNow_ms = 1'700'000'000'000;
constexpr int kWrites = 6;
constexpr std::string_view kCounter = "order:1";

void add_one(cache::Cache& orders) {
  for (int i = 0; i < kWrites; ++i) {
    cache::AssignStatus stored = cache::AssignStatus::kOutOfMemory;
    const auto raise = [&](cache::Slot& slot) {
      const std::string value(slot.exists() ? slot.value().size() + 1 : 1, 'x');
      stored = slot.assign(cache::Kind::kString, value, cache::kNoDeadline);
    };
    require(orders.write(orders.key(kCounter), kNow_ms, raise) == cache::WriteStatus::kApplied,
            "not applied");
    require(stored == cache::AssignStatus::kStored, "not stored");
  }
}

void read_growing(const cache::Cache& orders) {
  std::size_t latest = 0;
  for (int i = 0; i < kWrites; ++i) {
    std::string value;
    orders.read(orders.key(kCounter), kNow_ms, [&](const cache::EntryReader& entry) {
      value.resize(entry.value_size());
      entry.copy_value(value.data());
    });
    require(value.size() >= latest, "a later read is older");
    require(value.find_first_not_of('x') == std::string::npos, "a torn value");
    latest = value.size();
  }
}

}  // namespace

int main() {
  cache::CacheOptions options;
  options.shards = 1;
  cache::Cache orders(options);
  {
    const std::jthread first([&] { add_one(orders); });
    const std::jthread second([&] { add_one(orders); });
    const std::jthread reader([&] { read_growing(orders); });
  }
  std::size_t total = 0;
  orders.read(orders.key(kCounter), kNow_ms,
              [&](const cache::EntryReader& entry) { total = entry.value_size(); });
  require(total == 2 * kWrites, "a write was lost");
  orders.check_invariants();
}
