// SPDX-License-Identifier: Apache-2.0
// EXPECT: data race
// The last byte of a copy.
#include <cstring>
#include <thread>

char target[4096];
char source[4096];

int main() {
  volatile std::size_t size = sizeof(target);
  std::thread copier([&] { std::memcpy(target, source, size); });
  std::thread writer([] { target[4095] = 1; });
  copier.join();
  writer.join();
}
