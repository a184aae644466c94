// SPDX-License-Identifier: Apache-2.0
// EXPECT: data race
// A fiber that is switched to without synchronisation does not know what was done before.
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void* fiber);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
}

int value = 0;

int main() {
  void* const first = __tsan_get_current_fiber();
  void* const second = __tsan_create_fiber(0);
  value = 1;
  __tsan_switch_to_fiber(second, 1);
  value = 2;
  __tsan_switch_to_fiber(first, 1);
  __tsan_destroy_fiber(second);
}
