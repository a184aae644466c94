// SPDX-License-Identifier: Apache-2.0
// EXPECT: data race
#include <thread>

int shared;

int main() {
  std::thread first([] { ++shared; });
  std::thread second([] { ++shared; });
  first.join();
  second.join();
}
