// SPDX-License-Identifier: Apache-2.0
//
// Creation, end and join of threads.
//
// Start: the creator waits until the new thread is registered, so that handles and numbers are
// known before the program sees them. End: C++ thread_local destructors run first, then those of
// keys in up to four rounds; the runtime's own key asks for another round until the last one, and
// only then the thread ends for the detector and gives the token away.
#include "vigil/race/rt/intercept_pthread_thread.h"

#include <sched.h>
#include <threads.h>

#include <cerrno>
#include <climits>

#include "vigil/race/rt/controlled.h"
#include "vigil/race/rt/init.h"
#include "vigil/race/rt/intercept_pthread_mutex.h"
#include "vigil/race/rt/intercept_signal.h"
#include "vigil/race/rt/intercept_time.h"
#include "vigil/race/rt/memory.h"
#include "vigil/race/rt/raw_futex.h"
#include "vigil/race/rt/real_function.h"

namespace vigil::race {
namespace {

constinit Real<decltype(&::pthread_create)> real_create("pthread_create");
constinit Real<decltype(&::pthread_join)> real_join("pthread_join");
constinit Real<decltype(&::pthread_tryjoin_np)> real_tryjoin("pthread_tryjoin_np");
constinit Real<decltype(&::pthread_timedjoin_np)> real_timedjoin("pthread_timedjoin_np");
constinit Real<decltype(&::pthread_clockjoin_np)> real_clockjoin("pthread_clockjoin_np");
constinit Real<decltype(&::pthread_detach)> real_detach("pthread_detach");
constinit Real<decltype(&::pthread_cancel)> real_cancel("pthread_cancel");
constinit Real<decltype(&::pthread_setname_np)> real_setname("pthread_setname_np");

constexpr std::size_t kBuckets = 1024;

SpinLock table_lock;
ThreadEntry* buckets[kBuckets];
ThreadEntry* unused;
pthread_key_t end_key;
thread_local constinit ThreadEntry* self [[gnu::tls_model("initial-exec")]] = nullptr;

ThreadEntry*& bucket_of(pthread_t handle) {
  return buckets[((handle >> 12) * 0x9E37'79B9'7F4A'7C15) >> 54];
}

ThreadEntry* take_entry() {
  const SpinGuard guard(table_lock);
  if (unused == nullptr) return static_cast<ThreadEntry*>(allocate_forever(sizeof(ThreadEntry)));
  ThreadEntry* entry = unused;
  unused = entry->next;
  *entry = ThreadEntry{};
  return entry;
}

void insert(ThreadEntry* entry) {
  const SpinGuard guard(table_lock);
  entry->next = bucket_of(entry->handle);
  bucket_of(entry->handle) = entry;
}

void forget(ThreadEntry* entry) {
  const SpinGuard guard(table_lock);
  ThreadEntry** place = &bucket_of(entry->handle);
  while (*place != nullptr && *place != entry) place = &(*place)->next;
  if (*place == nullptr) return;
  *place = entry->next;
  entry->next = unused;
  unused = entry;
}

// Whether the one who asks is the first to mark the entry with the other mark already there: then
// nobody will ask for it again.
bool mark_detached(ThreadEntry* entry) {
  __atomic_store_n(&entry->detached, 1, __ATOMIC_SEQ_CST);
  return __atomic_load_n(&entry->finished, __ATOMIC_SEQ_CST) != 0;
}

struct Start {
  void* (*function)(void*);
  void* argument;
  ThreadEntry* entry;
  std::uint32_t registered;
};

void* start_thread(void* given) {
  auto* start = static_cast<Start*>(given);
  const Start copy = *start;
  self = copy.entry;
  self->handle = pthread_self();
  thread_started(self->thread);
  insert(self);
  pthread_setspecific(end_key, self);
  const std::uint32_t task = self->task;
  __atomic_store_n(&start->registered, 1, __ATOMIC_RELEASE);
  futex_wake(&start->registered, 1);
  if (task != kNoTask) controlled_task_started(task);
  return copy.function(copy.argument);
}

// Destructor of end_key.
void end_thread(void* given) {
  auto* entry = static_cast<ThreadEntry*>(given);
  if (++entry->destructor_rounds < PTHREAD_DESTRUCTOR_ITERATIONS) {
    pthread_setspecific(end_key, entry);
    return;
  }
  const std::uint32_t task = entry->task;
  thread_finished();
  self = nullptr;
  __atomic_store_n(&entry->finished, 1, __ATOMIC_SEQ_CST);
  if (task != kNoTask) {
    wake(entry, kEveryone);
    owner_ended();
  }
  if (__atomic_load_n(&entry->detached, __ATOMIC_SEQ_CST) != 0) forget(entry);
  if (task != kNoTask) controlled_task_finished();
}

bool created_detached(const pthread_attr_t* attributes) {
  int state = PTHREAD_CREATE_JOINABLE;
  if (attributes != nullptr) pthread_attr_getdetachstate(attributes, &state);
  return state == PTHREAD_CREATE_DETACHED;
}

void give_up(ThreadEntry* entry) {
  thread_abandoned(entry->thread);
  if (entry->task != kNoTask) controlled_task_abandoned(entry->task);
  const SpinGuard guard(table_lock);
  entry->next = unused;
  unused = entry;
}

int create(pthread_t* handle, const pthread_attr_t* attributes, void* (*function)(void*),
           void* argument, Address pc) {
  ensure_started();
  ThreadEntry* entry = take_entry();
  entry->thread = thread_created(pc);
  entry->task = kNoTask;
  if (entry->thread == nullptr) return EAGAIN;
  const bool detached = created_detached(attributes);
  if (detached) {
    entry->detached = 1;
    thread_detached(entry->thread);
  }
  if (controlled_task() != kNoTask) {
    entry->task = controlled_task_created(thread_number(entry->thread));
    if (entry->task == kNoTask) {
      thread_abandoned(entry->thread);
      return EAGAIN;
    }
  }
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
  return 0;
}

void after_join(ThreadEntry* entry) {
  if (entry == nullptr) return;
  thread_joined(entry->thread);
  forget(entry);
}

// Controlled: false if the thread is not at its end by the deadline.
bool wait_for_end(ThreadEntry* entry, std::uint64_t deadline_ns) {
  scheduling_point(PointKind::kSync, entry);
  if (deadline_ns != 0) pthread_testcancel();
  while (entry->finished == 0) {
    const WaitResult result = block_on(entry, deadline_ns, "pthread_join", true);
    if (result == WaitResult::kTimedOut) return entry->finished != 0;
    if (result == WaitResult::kInterrupted) {
      pthread_testcancel();
      deliver_signals();
    }
  }
  return true;
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

ThreadEntry* find_thread(pthread_t handle) {
  const SpinGuard guard(table_lock);
  for (ThreadEntry* entry = bucket_of(handle); entry != nullptr; entry = entry->next) {
    if (entry->handle == handle) return entry;
  }
  return nullptr;
}

ThreadEntry* own_thread() { return self; }

void pthread_init() {
  pthread_key_create(&end_key, end_thread);
  self = take_entry();
  self->handle = pthread_self();
  self->thread = current_thread();
  self->task = controlled_task();
  insert(self);
  pthread_setspecific(end_key, self);
}

void pthread_after_fork() {
  table_lock.unlock();
  for (ThreadEntry*& bucket : buckets) {
    ThreadEntry* entry = bucket;
    bucket = nullptr;
    while (entry != nullptr) {
      ThreadEntry* next = entry->next;
      entry->next = nullptr;
      if (entry == self) bucket = entry;
      entry = next;
    }
  }
}

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
  const FrameScope frame(VIGIL_CALLER_PC);
  return join(handle, deadline_at(CLOCK_REALTIME, time), ETIMEDOUT, [&] {
    return controlled() ? real_join(handle, result) : real_timedjoin(handle, result, time);
  });
}

VIGIL_INTERCEPTOR int pthread_clockjoin_np(pthread_t handle, void** result, clockid_t clock,
                                           const timespec* time) {
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
    if (mark_detached(entry)) forget(entry);
  }
  return result;
}

VIGIL_INTERCEPTOR int pthread_cancel(pthread_t handle) {
  const FrameScope frame(VIGIL_CALLER_PC);
  ThreadEntry* entry = find_thread(handle);
  scheduling_point(PointKind::kSync, entry);
  const int result = real_cancel(handle);
  if (result == 0 && entry != nullptr && entry->task != kNoTask && entry != self) {
    interrupt(entry->task);
  }
  return result;
}

VIGIL_INTERCEPTOR int pthread_setname_np(pthread_t handle, const char* name) noexcept {
  if (ThreadEntry* entry = find_thread(handle)) thread_named(entry->thread, name);
  return real_setname(handle, name);
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
