// SPDX-License-Identifier: Apache-2.0
//
// detector.h: the life of the program's threads, and forks.
#include <pthread.h>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/detector/heap.h"
#include "vigil/race/rt/detector/records.h"
#include "vigil/race/rt/detector/threads.h"

namespace vigil::race {
namespace {

void find_stack(Thread& thread) {
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
  void* begin = nullptr;
  std::size_t size = 0;
  pthread_attr_getstack(&attributes, &begin, &size);
  pthread_attr_destroy(&attributes);
  thread.stack_begin = reinterpret_cast<Address>(begin);
  thread.stack_end = thread.stack_begin + size;
}

}  // namespace

Thread* thread_created(Address pc) {
  Thread* const creator = thread_self;
  if (creator == nullptr) return nullptr;
  if (!detection_on) {
    detection_on = true;
    --creator->ignoring;
  }
  return add_thread(*creator, pc);
}

void thread_abandoned(Thread* thread) {
  if (thread != nullptr) abandon_thread(*thread);
}

void thread_started(Thread* thread) {
  if (thread == nullptr) return;
  become(*thread);
  const IgnoreScope ignore;
  find_stack(*thread);
  // The stack may have been another thread's before.
  memory_reset(reinterpret_cast<void*>(thread->stack_begin),
               thread->stack_end - thread->stack_begin);
}

void thread_finished() {
  Thread* const thread = thread_self;
  if (thread == nullptr) return;
  heap_thread_finished(thread->heap);
  leave(*thread);
}

void thread_joined(Thread* thread) {
  if (thread == nullptr) return;
  if (Thread* const self = thread_self) {
    const InsideScope inside(*self);
    self->clock.join(thread->clock);
  }
  release_thread(*thread);
}

void thread_detached(Thread* thread) {
  if (thread != nullptr) release_thread(*thread);
}

void switch_to_fiber(Thread* fiber, bool synchronised) {
  Thread* const self = thread_self;
  if (self == nullptr || fiber == nullptr || self == fiber) return;
  if (synchronised) {
    const InsideScope inside(*self);
    fiber->clock.join(self->clock);
    next_epoch(*self);
  }
  exchange(*self, *fiber);
}

void fiber_destroyed(Thread* fiber) {
  if (fiber == nullptr || fiber == thread_self) return;
  heap_thread_finished(fiber->heap);
  abandon_thread(*fiber);
}

void before_fork() {
  stop_threads();
  heap_lock();
}

void after_fork() {
  heap_unlock();
  resume_threads();
}

void after_fork_in_child() {
  after_fork();
  forget_other_threads();
  records_after_fork();
}

}  // namespace vigil::race
