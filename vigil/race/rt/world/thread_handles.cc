// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/world/thread_handles.h"

#include <climits>

#include "vigil/race/detect/spin_lock.h"
#include "vigil/race/rt/detector/lock_misuse.h"
#include "vigil/race/rt/raw/memory.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/mutexes.h"

namespace vigil::race {
namespace {

constexpr std::size_t kBuckets = 1024;

struct State {
  SpinLock lock;
  ThreadEntry* buckets[kBuckets];
  ThreadEntry* unused;
  pthread_key_t end_key;
};
constinit State state = {};

thread_local constinit ThreadEntry* self [[gnu::tls_model("initial-exec")]] = nullptr;
thread_local constinit bool creates_for_library [[gnu::tls_model("initial-exec")]] = false;

ThreadEntry*& bucket_of(pthread_t handle) {
  return state.buckets[((handle >> 12) * 0x9E37'79B9'7F4A'7C15) >> 54];
}

void insert(ThreadEntry* entry) {
  const SpinGuard guard(state.lock);
  entry->next = bucket_of(entry->handle);
  bucket_of(entry->handle) = entry;
}

bool may_be_left(const volatile void* lock, LockKind kind) {
  return kind == LockKind::kMutex &&
         may_be_left_locked(static_cast<const pthread_mutex_t*>(const_cast<const void*>(lock)));
}

// Destructor of end_key.
void end_thread(void* given) {
  auto* entry = static_cast<ThreadEntry*>(given);
  if (++entry->destructor_rounds < PTHREAD_DESTRUCTOR_ITERATIONS) {
    pthread_setspecific(state.end_key, entry);
    return;
  }
  const std::uint32_t task = entry->task;
  check_locks_at_end(may_be_left);
  thread_finished();
  self = nullptr;
  __atomic_store_n(&entry->finished, 1, __ATOMIC_SEQ_CST);
  if (task != kNoTask) {
    wake(entry, kEveryone);
    owner_ended();
  }
  if (__atomic_load_n(&entry->detached, __ATOMIC_SEQ_CST) != 0) forget_entry(entry);
  if (task != kNoTask) controlled_task_finished();
}

}  // namespace

ThreadEntry* find_thread(pthread_t handle) {
  const SpinGuard guard(state.lock);
  for (ThreadEntry* entry = bucket_of(handle); entry != nullptr; entry = entry->next) {
    if (entry->handle == handle) return entry;
  }
  return nullptr;
}

ThreadEntry* own_thread() { return self; }

ThreadEntry* take_entry() {
  const SpinGuard guard(state.lock);
  ThreadEntry* entry = state.unused;
  if (entry != nullptr) {
    state.unused = entry->next;
    *entry = ThreadEntry{};
  } else {
    entry = static_cast<ThreadEntry*>(allocate_forever(sizeof(ThreadEntry)));
  }
  entry->starts_in_library = creates_for_library;
  return entry;
}

void give_up_entry(ThreadEntry* entry) {
  const SpinGuard guard(state.lock);
  entry->next = state.unused;
  state.unused = entry;
}

void register_own_thread(ThreadEntry* entry) {
  self = entry;
  entry->handle = pthread_self();
  insert(entry);
  pthread_setspecific(state.end_key, entry);
}

void forget_entry(ThreadEntry* entry) {
  const SpinGuard guard(state.lock);
  ThreadEntry** place = &bucket_of(entry->handle);
  while (*place != nullptr && *place != entry) place = &(*place)->next;
  if (*place == nullptr) return;
  *place = entry->next;
  entry->next = state.unused;
  state.unused = entry;
}

// With the other mark already there, no thread will ask for the entry again.
void mark_detached(ThreadEntry* entry) {
  __atomic_store_n(&entry->detached, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&entry->finished, __ATOMIC_SEQ_CST) != 0) forget_entry(entry);
}

LibraryThreads::LibraryThreads(bool begin_there) : before_(creates_for_library) {
  creates_for_library = begin_there;
}
LibraryThreads::~LibraryThreads() { creates_for_library = before_; }

void thread_handles_init() {
  pthread_key_create(&state.end_key, end_thread);
  ThreadEntry* const entry = take_entry();
  entry->thread = current_thread();
  entry->task = controlled_task();
  register_own_thread(entry);
}

void thread_handles_after_fork() {
  state.lock.unlock();
  for (ThreadEntry*& bucket : state.buckets) {
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

}  // namespace vigil::race
