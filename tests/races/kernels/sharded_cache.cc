// SPDX-License-Identifier: Apache-2.0
//
// Kernel of the overhead measurement: a cache of strings in sixteen shards, each a map behind a
// mutex; four threads look up nine keys for each one they write.
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace {

constexpr int kThreads = 4;
constexpr std::size_t kShards = 16;
constexpr std::uint32_t kKeys = 4096;
constexpr int kOperations = 60'000;  // of each thread and round

struct Shard {
  std::mutex mutex;
  std::unordered_map<std::uint32_t, std::string> values;
};

std::array<Shard, kShards> shards;

std::uint32_t next_random(std::uint32_t& state) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

std::size_t run(std::uint32_t seed, int rounds) {
  std::uint32_t state = seed;
  std::size_t bytes = 0;
  for (int operation = 0; operation < rounds * kOperations; ++operation) {
    const std::uint32_t key = next_random(state) % kKeys;
    Shard& shard = shards[key % kShards];
    const std::lock_guard lock(shard.mutex);
    if (operation % 10 == 0) {
      shard.values[key] = "a value that is longer than the small buffer";
    } else if (const auto found = shard.values.find(key); found != shard.values.end()) {
      bytes += found->second.size();
    }
  }
  return bytes;
}

}  // namespace

int main(int count, char** arguments) {
  const int rounds = count > 1 ? std::atoi(arguments[1]) : 1;
  std::array<std::size_t, kThreads> bytes{};
  std::vector<std::thread> threads;
  for (std::uint32_t number = 0; number < kThreads; ++number) {
    threads.emplace_back([&bytes, number, rounds] { bytes[number] = run(number + 1, rounds); });
  }
  for (std::thread& thread : threads) thread.join();
  std::printf("%zu\n", bytes[0]);
}
