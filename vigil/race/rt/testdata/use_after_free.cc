// SPDX-License-Identifier: Apache-2.0
// EXPECT: use after free
#include <memory>
#include <thread>

int main() {
  auto* const value = new int(1);
  std::thread([value] { delete value; }).join();
  return *const_cast<volatile int*>(value) & 0;
}
