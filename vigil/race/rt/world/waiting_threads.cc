// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/world/waiting_threads.h"

#include "vigil/race/detect/spin_lock.h"

namespace vigil::race {
namespace {

constexpr unsigned kBucketsLog2 = 8;

struct alignas(64) Bucket {
  SpinLock lock;
  WaitingThread* first;
};

struct State {
  Bucket buckets[1 << kBucketsLog2];
};
constinit State state = {};

Bucket& bucket_of(const volatile void* object) {
  const auto address = reinterpret_cast<Address>(object);
  return state.buckets[address * 0x9E37'79B9'7F4A'7C15 >> (64 - kBucketsLog2)];
}

LockHolder own_place(Address pc) {
  const Thread* const thread = current_thread();
  if (thread == nullptr) return {};
  return {static_cast<std::int32_t>(thread_number(thread)), current_stack(pc)};
}

}  // namespace

WaitingThread::WaitingThread(const volatile void* for_object, const volatile void* with_mutex,
                             Address pc)
    : object(for_object), mutex(with_mutex), place(own_place(pc)) {}

void begin_waiting(WaitingThread& waiting) {
  Bucket& bucket = bucket_of(waiting.object);
  const SpinGuard guard(bucket.lock);
  waiting.next = bucket.first;
  bucket.first = &waiting;
}

void end_waiting(const WaitingThread& waiting) {
  Bucket& bucket = bucket_of(waiting.object);
  const SpinGuard guard(bucket.lock);
  WaitingThread** link = &bucket.first;
  while (*link != nullptr && *link != &waiting) link = &(*link)->next;
  if (*link != nullptr) *link = waiting.next;
}

void waiters_woken(const volatile void* object, std::uint32_t count) {
  Bucket& bucket = bucket_of(object);
  if (__atomic_load_n(&bucket.first, __ATOMIC_RELAXED) == nullptr) return;
  const SpinGuard guard(bucket.lock);
  for (WaitingThread* at = bucket.first; at != nullptr && count != 0; at = at->next) {
    if (at->object != object || at->woken) continue;
    at->woken = true;
    --count;
  }
}

LockHolder thread_waiting_for(const volatile void* object, const volatile void* mutex) {
  Bucket& bucket = bucket_of(object);
  if (__atomic_load_n(&bucket.first, __ATOMIC_RELAXED) == nullptr) return {};
  const SpinGuard guard(bucket.lock);
  for (const WaitingThread* at = bucket.first; at != nullptr; at = at->next) {
    if (at->object != object || at->woken) continue;
    if (mutex == nullptr || at->mutex != mutex) return at->place;
  }
  return {};
}

void waiting_threads_after_fork() {
  for (Bucket& bucket : state.buckets) bucket = Bucket{};
}

}  // namespace vigil::race
