// SPDX-License-Identifier: Apache-2.0
//
// ThreadSanitizer's interface for fibers, which Boost.Context, QEMU and folly call around their
// switches (sanitizer/tsan_interface.h). A fiber is a thread of the detector; the schedule knows
// the kernel's threads only. Context: the program's own code.
#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/raw/started.h"

using namespace vigil::race;

namespace {

constexpr unsigned kNotSynchronised = 1;

Thread* thread_of(void* fiber) { return static_cast<Thread*>(fiber); }

}  // namespace

extern "C" {

void* __tsan_get_current_fiber() {
  ensure_started();
  return current_thread();
}

void* __tsan_create_fiber(unsigned) {
  ensure_started();
  return thread_created(VIGIL_CALLER_PC);
}

void __tsan_destroy_fiber(void* fiber) { fiber_destroyed(thread_of(fiber)); }

void __tsan_switch_to_fiber(void* fiber, unsigned flags) {
  switch_to_fiber(thread_of(fiber), (flags & kNotSynchronised) == 0);
}

void __tsan_set_fiber_name(void* fiber, const char* name) { thread_named(thread_of(fiber), name); }

}  // extern "C"
