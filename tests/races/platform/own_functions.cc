// SPDX-License-Identifier: Apache-2.0
//
// A program with functions of its own that are named as the C and C++ libraries': it keeps them.
#include <cstddef>
#include <new>
#include <thread>

#include "tests/races/platform/checks.h"

namespace {

constinit int allocated = 0;
constinit int sent = 0;

}  // namespace

void* operator new(std::size_t size) {
  ++allocated;
  if (void* const block = std::malloc(size)) return block;
  throw std::bad_alloc();
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }

extern "C" long send(int a, const void*, std::size_t, int) {
  sent += a;
  return a;
}
extern "C" int dup(int descriptor) noexcept { return descriptor + 1000; }
extern "C" unsigned sleep(unsigned seconds) { return seconds; }

namespace {

void own_operator_new_is_called() {
  const int before = allocated;
  int* volatile number = new int(3);
  EXPECT(allocated == before + 1);
  delete number;
}

void own_system_functions_are_called() {
  EXPECT(send(7, nullptr, 0, 0) == 7 && sent == 7);
  EXPECT(dup(1) == 1001);
  EXPECT(sleep(5) == 5);
}

void threads_still_work() {
  int value = 0;
  std::thread([&] { value = 1; }).join();
  EXPECT(value == 1);
}

const Check kChecks[] = {
    CHECK(own_operator_new_is_called),
    CHECK(own_system_functions_are_called),
    CHECK(threads_still_work),
};

}  // namespace

int main(int argc, char** argv) { return run_checks(argc, argv, kChecks); }
