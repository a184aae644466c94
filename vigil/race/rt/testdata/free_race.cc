// SPDX-License-Identifier: Apache-2.0
// EXPECT: data race
// The free and the access have no order: a race, not a use after free.
#include <thread>

int main() {
  auto* const value = new int(1);
  std::thread access([value] { ++*value; });
  std::thread release([value] { delete value; });
  access.join();
  release.join();
}
