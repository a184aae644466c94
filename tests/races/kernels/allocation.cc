// SPDX-License-Identifier: Apache-2.0
//
// Kernel of the overhead measurement: four threads build and drop blocks of many sizes, with a
// working set of a few thousand blocks each.
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

namespace {

constexpr int kThreads = 4;
constexpr std::size_t kLive = 2000;
constexpr int kTurns = 40'000;  // of each thread and round

std::uint32_t next_random(std::uint32_t& state) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

// Mostly small, sometimes kilobytes, rarely a buffer.
std::size_t next_size(std::uint32_t& state) {
  const std::uint32_t draw = next_random(state);
  if (draw % 1000 == 0) return 64 << 10;
  if (draw % 20 == 0) return 256 + draw / 20 % 4096;
  return 16 + draw % 200;
}

std::size_t run(std::uint32_t seed, int rounds) {
  std::uint32_t state = seed;
  std::vector<std::unique_ptr<char[]>> live(kLive);
  std::size_t sum = 0;
  for (int turn = 0; turn < rounds * kTurns; ++turn) {
    const std::size_t size = next_size(state);
    auto& place = live[next_random(state) % kLive];
    place.reset(new char[size]);
    std::memset(place.get(), turn, size < 256 ? size : 256);
    sum += static_cast<unsigned char>(place[size / 2 < 256 ? size / 2 : 0]);
  }
  return sum;
}

}  // namespace

int main(int count, char** arguments) {
  const int rounds = count > 1 ? std::atoi(arguments[1]) : 1;
  std::array<std::size_t, kThreads> sums{};
  std::vector<std::thread> threads;
  for (std::uint32_t number = 0; number < kThreads; ++number) {
    threads.emplace_back([&sums, number, rounds] { sums[number] = run(number + 1, rounds); });
  }
  for (std::thread& thread : threads) thread.join();
  std::printf("%zu\n", sums[0]);
}
