// SPDX-License-Identifier: Apache-2.0
//
// Two threads count without a lock.
#include <thread>

void count_request();

int main() {
  std::thread first(count_request);
  std::thread second(count_request);
  first.join();
  second.join();
}
