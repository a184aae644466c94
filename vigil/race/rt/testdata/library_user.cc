// SPDX-License-Identifier: Apache-2.0
// EXPECT: data race
// Instrumented code in a shared library finds the runtime in the program.
extern int library_value;
extern void touch_library_value();

#include <thread>

int main() {
  std::thread other(touch_library_value);
  touch_library_value();
  other.join();
  return library_value == 0;
}
