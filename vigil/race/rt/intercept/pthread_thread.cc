// SPDX-License-Identifier: Apache-2.0
//
// Creation, end and join of threads, and the processors that they run on.
//
// Start: the creator waits until the new thread is registered, so that handles and numbers are
// known before the program sees them. End: world/thread_handles.h.
#include <pthread.h>
#include <sched.h>
#include <threads.h>

#include <cerrno>

#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/raw/futex.h"
#include "vigil/race/rt/raw/started.h"
#include "vigil/race/rt/world/cancellation.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/processors.h"
#include "vigil/race/rt/world/real_function.h"
#include "vigil/race/rt/world/signals.h"
#include "vigil/race/rt/world/thread_handles.h"
#include "vigil/race/rt/world/virtual_time.h"
#include "vigil/race/rt/world/wait_for.h"

namespace vigil::race {
namespace {

constinit Real<decltype(&::pthread_create)> real_create("pthread_create");
constinit Real<decltype(&::pthread_join)> real_join("pthread_join");
constinit Real<decltype(&::pthread_tryjoin_np)> real_tryjoin("pthread_tryjoin_np");
constinit Real<decltype(&::pthread_timedjoin_np)> real_timedjoin("pthread_timedjoin_np");
constinit Real<decltype(&::pthread_clockjoin_np)> real_clockjoin("pthread_clockjoin_np");
constinit Real<decltype(&::pthread_detach)> real_detach("pthread_detach");
constinit Real<decltype(&::pthread_cancel)> real_cancel("pthread_cancel");
constinit Real<decltype(&::pthread_setcanceltype)> real_setcanceltype("pthread_setcanceltype");
constinit Real<decltype(&::pthread_setname_np)> real_setname("pthread_setname_np");

struct Start {
  void* (*function)(void*);
  void* argument;
  ThreadEntry* entry;
  std::uint32_t registered;
};

void* start_thread(void* given) {
  auto* start = static_cast<Start*>(given);
  const Start copy = *start;
  thread_started(copy.entry->thread);
  register_own_thread(copy.entry);
  const std::uint32_t task = copy.entry->task;
  __atomic_store_n(&start->registered, 1, __ATOMIC_RELEASE);
  futex_wake(&start->registered, 1);
  if (task != kNoTask) controlled_task_started(task);
  if (copy.entry->starts_in_library) controlled_step_outside("OpenMP");
  return copy.function(copy.argument);
}

bool created_detached(const pthread_attr_t* attributes) {
  int state = PTHREAD_CREATE_JOINABLE;
  if (attributes != nullptr) pthread_attr_getdetachstate(attributes, &state);
  return state == PTHREAD_CREATE_DETACHED;
}

// The runtime works on the program's stacks: one that the program made just large enough for itself
// is made larger, unless it is memory of its own.
const pthread_attr_t* with_room(const pthread_attr_t* attributes, pthread_attr_t* enlarged) {
  constexpr std::size_t kRoomBytes = 64 << 10;
  constexpr std::size_t kEnoughBytes = 256 << 10;
  if (attributes == nullptr) return nullptr;
  void* begin = nullptr;
  std::size_t size = 0;
  if (pthread_attr_getstack(attributes, &begin, &size) != 0 || size >= kEnoughBytes) {
    return attributes;
  }
  // Without memory of its own, a stack is said to end at address 0.
  if (size == 0 || reinterpret_cast<Address>(begin) + size != 0) return attributes;
  *enlarged = *attributes;
  pthread_attr_setstacksize(enlarged, size + kRoomBytes);
  return enlarged;
}

void give_up(ThreadEntry* entry) {
  thread_abandoned(entry->thread);
  if (entry->task != kNoTask) controlled_task_abandoned(entry->task);
  give_up_entry(entry);
}

int create(pthread_t* handle, const pthread_attr_t* attributes, void* (*function)(void*),
           void* argument, Address pc) {
  ensure_started();
  ThreadEntry* entry = take_entry();
  entry->thread = thread_created(pc);
  entry->task = kNoTask;
  if (entry->thread == nullptr) {
    give_up(entry);
    return EAGAIN;
  }
  const bool detached = created_detached(attributes);
  if (detached) {
    entry->detached = 1;
    thread_detached(entry->thread);
  }
  if (controlled_task() != kNoTask) {
    entry->task = controlled_task_created(thread_number(entry->thread));
    if (entry->task == kNoTask) {
      give_up(entry);
      return EAGAIN;
    }
  }
  pthread_attr_t enlarged;
  attributes = with_room(attributes, &enlarged);
  Start start{function, argument, entry, 0};
  int result = 0;
  {
    const IgnoreScope ignore;
    result = real_create(handle, attributes, start_thread, &start);
  }
  if (result != 0) {
    give_up(entry);
    return result;
  }
  while (__atomic_load_n(&start.registered, __ATOMIC_ACQUIRE) == 0) {
    futex_wait(&start.registered, 0, kNever);
  }
  scheduling_point(PointKind::kSync, entry);
  if (entry->starts_in_library) controlled_step_outside("OpenMP");
  return 0;
}

void after_join(ThreadEntry* entry) {
  if (entry == nullptr) return;
  thread_joined(entry->thread);
  forget_entry(entry);
}

// Controlled: false if the thread is not at its end by the deadline.
bool wait_for_end(const ThreadEntry* entry, std::uint64_t deadline_ns) {
  scheduling_point(PointKind::kSync, entry);
  if (deadline_ns != 0) test_cancellation();
  const auto attempt = [&] { return entry->finished != 0 ? 0 : EBUSY; };
  return wait_for(entry, deadline_ns, "pthread_join", attempt, [] {
           test_cancellation();
           deliver_signals();
           return 0;
         }) == 0;
}

template <class Join>
int join(pthread_t handle, std::uint64_t deadline_ns, int late, Join real) {
  ThreadEntry* entry = find_thread(handle);
  if (controlled_task() != kNoTask && entry != nullptr && entry->task != kNoTask &&
      entry != own_thread() && !wait_for_end(entry, deadline_ns)) {
    return late;
  }
  int result = 0;
  {
    const IgnoreScope ignore;
    const SignalsAtOnce signals;
    result = real();
  }
  if (result == 0) after_join(entry);
  return result;
}

}  // namespace

VIGIL_INTERCEPTOR int pthread_create(pthread_t* handle, const pthread_attr_t* attributes,
                                     void* (*function)(void*), void* argument) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  return create(handle, attributes, function, argument, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int pthread_join(pthread_t handle, void** result) {
  const FrameScope frame(VIGIL_CALLER_PC);
  return join(handle, kNever, ETIMEDOUT, [&] { return real_join(handle, result); });
}

VIGIL_INTERCEPTOR int pthread_tryjoin_np(pthread_t handle, void** result) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  return join(handle, 0, EBUSY, [&] {
    return controlled() ? real_join(handle, result) : real_tryjoin(handle, result);
  });
}

VIGIL_INTERCEPTOR int pthread_timedjoin_np(pthread_t handle, void** result, const timespec* time) {
  if (!is_valid_time(time)) return EINVAL;
  const FrameScope frame(VIGIL_CALLER_PC);
  return join(handle, deadline_at(CLOCK_REALTIME, time), ETIMEDOUT, [&] {
    return controlled() ? real_join(handle, result) : real_timedjoin(handle, result, time);
  });
}

VIGIL_INTERCEPTOR int pthread_clockjoin_np(pthread_t handle, void** result, clockid_t clock,
                                           const timespec* time) {
  if (!is_valid_time(time)) return EINVAL;
  const FrameScope frame(VIGIL_CALLER_PC);
  return join(handle, deadline_at(clock, time), ETIMEDOUT, [&] {
    return controlled() ? real_join(handle, result) : real_clockjoin(handle, result, clock, time);
  });
}

VIGIL_INTERCEPTOR int pthread_detach(pthread_t handle) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  ThreadEntry* entry = find_thread(handle);
  scheduling_point(PointKind::kSync, entry);
  const int result = real_detach(handle);
  if (result == 0 && entry != nullptr) {
    thread_detached(entry->thread);
    mark_detached(entry);
  }
  return result;
}

VIGIL_INTERCEPTOR int pthread_cancel(pthread_t handle) {
  const FrameScope frame(VIGIL_CALLER_PC);
  ThreadEntry* entry = find_thread(handle);
  scheduling_point(PointKind::kSync, entry);
  const int result = real_cancel(handle);
  if (result == 0 && entry != nullptr && entry->task != kNoTask && entry != own_thread()) {
    interrupt(entry->task);
  }
  return result;
}

// A loop over it waits to be cancelled.
VIGIL_INTERCEPTOR void pthread_testcancel() {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kYield, nullptr);
  test_cancellation();
}

VIGIL_INTERCEPTOR int pthread_setcanceltype(int type, int* before) {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kSync, nullptr);
  controlled_cancellable_anywhere(type == PTHREAD_CANCEL_ASYNCHRONOUS);
  return real_setcanceltype(type, before);
}

VIGIL_INTERCEPTOR int pthread_setname_np(pthread_t handle, const char* name) noexcept {
  if (ThreadEntry* entry = find_thread(handle)) thread_named(entry->thread, name);
  return real_setname(handle, name);
}

// ---- where threads run

namespace {

constinit Real<int (*)(pid_t, size_t, cpu_set_t*)> real_get_processors("sched_getaffinity",
                                                                       "GLIBC_2.3.4");
constinit Real<int (*)(pid_t, size_t, const cpu_set_t*)> real_set_processors("sched_setaffinity",
                                                                             "GLIBC_2.3.4");
constinit Real<int (*)(pthread_t, size_t, cpu_set_t*)> real_get_thread_processors(
    "pthread_getaffinity_np", "GLIBC_2.32");
constinit Real<int (*)(pthread_t, size_t, const cpu_set_t*)> real_set_thread_processors(
    "pthread_setaffinity_np", "GLIBC_2.34");

std::uint32_t task_of_handle(pthread_t handle) {
  if (controlled_task() == kNoTask) return kNoTask;
  const ThreadEntry* const entry = find_thread(handle);
  return entry == nullptr ? kNoTask : entry->task;
}

int answer(int error) {
  if (error == 0) return 0;
  errno = error;
  return -1;
}

}  // namespace

VIGIL_INTERCEPTOR int sched_getaffinity(pid_t thread, size_t size, cpu_set_t* processors) noexcept {
  const std::uint32_t task = task_with_processors(thread);
  if (task == kNoTask) return real_get_processors(thread, size, processors);
  return answer(get_processors(task, size, processors));
}

VIGIL_INTERCEPTOR int sched_setaffinity(pid_t thread, size_t size,
                                        const cpu_set_t* processors) noexcept {
  const std::uint32_t task = task_with_processors(thread);
  if (task == kNoTask) return real_set_processors(thread, size, processors);
  return answer(set_processors(task, size, processors));
}

VIGIL_INTERCEPTOR int pthread_getaffinity_np(pthread_t thread, size_t size,
                                             cpu_set_t* processors) noexcept {
  const std::uint32_t task = task_of_handle(thread);
  if (task == kNoTask) return real_get_thread_processors(thread, size, processors);
  return get_processors(task, size, processors);
}

VIGIL_INTERCEPTOR int pthread_setaffinity_np(pthread_t thread, size_t size,
                                             const cpu_set_t* processors) noexcept {
  const std::uint32_t task = task_of_handle(thread);
  if (task == kNoTask) return real_set_thread_processors(thread, size, processors);
  return set_processors(task, size, processors);
}

// ---- C11: the same threads with other names

namespace {

// glibc's own thrd_create starts threads without asking pthread_create.
struct C11Start {
  thrd_start_t function;
  void* argument;
};

void* start_c11_thread(void* given) {
  const C11Start start = *static_cast<C11Start*>(given);
  __builtin_free(given);
  return reinterpret_cast<void*>(static_cast<std::intptr_t>(start.function(start.argument)));
}

int c11_result(int error) {
  switch (error) {
    case 0:
      return thrd_success;
    case ENOMEM:
    case EAGAIN:
      return thrd_nomem;
    case ETIMEDOUT:
      return thrd_timedout;
    case EBUSY:
      return thrd_busy;
    default:
      return thrd_error;
  }
}

}  // namespace

VIGIL_INTERCEPTOR int thrd_create(thrd_t* handle, thrd_start_t function, void* argument) {
  const FrameScope frame(VIGIL_CALLER_PC);
  auto* start = static_cast<C11Start*>(__builtin_malloc(sizeof(C11Start)));
  if (start == nullptr) return thrd_nomem;
  *start = C11Start{function, argument};
  const int result = create(handle, nullptr, start_c11_thread, start, VIGIL_CALLER_PC);
  if (result != 0) __builtin_free(start);
  return c11_result(result);
}

VIGIL_INTERCEPTOR int thrd_join(thrd_t handle, int* result) {
  void* value = nullptr;
  const int error = pthread_join(handle, &value);
  if (error == 0 && result != nullptr) {
    *result = static_cast<int>(reinterpret_cast<std::intptr_t>(value));
  }
  return c11_result(error);
}

VIGIL_INTERCEPTOR int thrd_detach(thrd_t handle) { return c11_result(pthread_detach(handle)); }

VIGIL_INTERCEPTOR void thrd_exit(int result) {
  pthread_exit(reinterpret_cast<void*>(static_cast<std::intptr_t>(result)));
}

}  // namespace vigil::race
