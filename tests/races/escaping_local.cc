// SPDX-License-Identifier: Apache-2.0
//
// A thread is given a reference to a local variable of a function that does not wait for it.
//
// EXPECT: race
// EXPECT-FRAME: start
#include <memory>
#include <thread>

namespace {

int retries_left = 0;

std::jthread start() {
  int retries = 3;
#ifdef FIXED
  std::jthread worker([retries]() mutable { --retries; });
#else
  std::jthread worker([&retries] { --retries; });
#endif
  retries_left = ++retries;
  return worker;
}

}  // namespace

int main() {
  { const std::jthread worker = start(); }
  return retries_left == 4 ? 0 : 3;
}
