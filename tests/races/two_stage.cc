// SPDX-License-Identifier: Apache-2.0
//
// A value and its copy are written in two critical sections of two locks; a reader may come between
// them. Every access is locked, so there is no data race, and still the invariant breaks.
//
// The pattern "twostage" of the SCTBench collection.
//
// EXPECT: crash
// EXPECT-FRAME: read_both
#include <mutex>
#include <thread>

#include "tests/races/require.h"

namespace {

std::mutex value_lock;
std::mutex copy_lock;
int value = 0;
int copy = 0;

void write_both() {
#ifdef FIXED
  const std::scoped_lock both(value_lock, copy_lock);
  value = 1;
  copy = value + 1;
#else
  {
    const std::lock_guard lock(value_lock);
    value = 1;
  }
  const std::lock_guard lock(copy_lock);
  copy = 2;
#endif
}

void read_both() {
#ifdef FIXED
  const std::scoped_lock both(value_lock, copy_lock);
  const int seen_value = value;
  const int seen_copy = copy;
#else
  int seen_value = 0;
  int seen_copy = 0;
  {
    const std::lock_guard lock(value_lock);
    seen_value = value;
  }
  {
    const std::lock_guard lock(copy_lock);
    seen_copy = copy;
  }
#endif
  require(seen_value == 0 || seen_copy == seen_value + 1, "the copy is older than the value");
}

}  // namespace

int main() {
  const std::jthread writer(write_both);
  const std::jthread reader(read_both);
}
