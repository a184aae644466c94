// SPDX-License-Identifier: Apache-2.0
// EXPECT: use after free
#include <cstdlib>
#include <thread>

int main() {
  void* const block = std::malloc(100);
  void* volatile hidden = block;
  std::thread([] {}).join();
  std::free(block);
  std::free(hidden);
}
