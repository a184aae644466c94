// SPDX-License-Identifier: Apache-2.0
//
// Ten threads publish two halves of a value one after the other; an eleventh reads the halves in
// the same order and so may see the second without the first.
//
// The pattern "reorder" of the SCTBench collection (Thomson, Donaldson, Betts, PPoPP 2014).
//
// EXPECT: crash
// EXPECT-FRAME: check
// RUN: --strategy pct --schedules 3000
#include <atomic>
#include <thread>
#include <vector>

#include "tests/races/require.h"

namespace {

constexpr int kSetters = 10;
std::atomic<int> first{0};
std::atomic<int> second{0};

void set() {
  first = 1;
  second = -1;
}

void check() {
#ifdef FIXED
  const int seen_second = second;
  const int seen_first = first;
  require(seen_second == 0 || seen_first == 1, "the second half came before the first");
#else
  const int seen_first = first;
  const int seen_second = second;
  require(seen_second == 0 || seen_first == 1, "the second half came before the first");
#endif
}

}  // namespace

int main() {
  std::vector<std::jthread> threads;
  for (int i = 0; i < kSetters; ++i) threads.emplace_back(set);
  threads.emplace_back(check);
}
