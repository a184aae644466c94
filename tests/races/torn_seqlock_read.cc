// SPDX-License-Identifier: Apache-2.0
//
// A seqlock reader that looks at the sequence only before it copies: it may return half of the old
// value and half of the new one.
//
// EXPECT: crash
// EXPECT-FRAME: read_pair
#include <atomic>
#include <thread>

#include "tests/races/require.h"

namespace {

std::atomic<unsigned> sequence{0};
std::atomic<int> left{0};
std::atomic<int> right{0};

void write_pair(int value) {
  ++sequence;
  left = value;
  right = value;
  ++sequence;
}

void read_pair() {
  for (;;) {
    const unsigned before = sequence;
    if (before % 2 != 0) {
      std::this_thread::yield();
      continue;
    }
    const int seen_left = left;
    const int seen_right = right;
#ifdef FIXED
    if (sequence != before) continue;
#endif
    require(seen_left == seen_right, "read half of an update");
    return;
  }
}

}  // namespace

int main() {
  const std::jthread writer([] {
    write_pair(1);
    write_pair(2);
  });
  const std::jthread reader(read_pair);
}
