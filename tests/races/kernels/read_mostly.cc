// SPDX-License-Identifier: Apache-2.0
//
// Kernel of the overhead measurement: readers follow an atomic pointer to the current
// configuration and count atomically; each publishes a new one now and then.
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

constexpr int kThreads = 4;
constexpr int kTurns = 150'000;  // of each thread and round
constexpr std::size_t kVersions = 64;

struct Configuration {
  std::array<std::uint64_t, 8> limits;
};

Configuration initial;
std::array<Configuration, kVersions * kThreads> versions;
std::atomic<const Configuration*> current{&initial};
std::array<std::atomic<std::uint64_t>, 16> counters;

std::uint64_t run(std::size_t number, int rounds) {
  std::uint64_t sum = 0;
  std::size_t published = 0;
  for (int turn = 0; turn < rounds * kTurns; ++turn) {
    const Configuration* configuration = current.load(std::memory_order_acquire);
    sum += configuration->limits[static_cast<std::size_t>(turn) % 8];
    counters[number].fetch_add(1, std::memory_order_relaxed);
    if (turn % 1000 == 0 && published < kVersions) {
      Configuration& next = versions[number * kVersions + published++];
      for (std::uint64_t& limit : next.limits) limit = sum;
      current.store(&next, std::memory_order_release);
    }
  }
  return sum;
}

}  // namespace

int main(int count, char** arguments) {
  const int rounds = count > 1 ? std::atoi(arguments[1]) : 1;
  std::array<std::uint64_t, kThreads> sums{};
  std::vector<std::thread> threads;
  for (std::size_t number = 0; number < kThreads; ++number) {
    threads.emplace_back([&sums, number, rounds] { sums[number] = run(number, rounds); });
  }
  for (std::thread& thread : threads) thread.join();
  std::printf("%lu\n", sums[0] & 1);
}
