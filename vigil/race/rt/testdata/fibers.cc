// SPDX-License-Identifier: Apache-2.0
// EXPECT: nothing
// Two fibers of one thread, and one of two threads, hand a counter to one another.
#include <ucontext.h>

#include <cstdlib>
#include <thread>

extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void* fiber);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_set_fiber_name(void* fiber, const char* name);
}

namespace {

constexpr std::size_t kStackBytes = 64 << 10;
constexpr int kTurns = 100;

struct Fiber {
  ucontext_t context = {};
  void* id = nullptr;
};

thread_local int counter = 0;
thread_local Fiber first;
thread_local Fiber second;

void switch_from(Fiber* from, Fiber* to) {
  __tsan_switch_to_fiber(to->id, 0);
  swapcontext(&from->context, &to->context);
}

void run() {
  for (;;) {
    ++counter;
    switch_from(&second, &first);
  }
}

void ping_pong() {
  void* const stack = std::malloc(kStackBytes);
  first.id = __tsan_get_current_fiber();
  second.id = __tsan_create_fiber(0);
  __tsan_set_fiber_name(second.id, "second");
  getcontext(&second.context);
  second.context.uc_stack.ss_sp = stack;
  second.context.uc_stack.ss_size = kStackBytes;
  makecontext(&second.context, run, 0);
  for (int turn = 0; turn < kTurns; ++turn) {
    ++counter;
    switch_from(&first, &second);
  }
  if (counter != 2 * kTurns) std::abort();
  __tsan_destroy_fiber(second.id);
  std::free(stack);
}

}  // namespace

int main() {
  std::thread other(ping_pong);
  ping_pong();
  other.join();
}
