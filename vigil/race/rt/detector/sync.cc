// SPDX-License-Identifier: Apache-2.0
//
// detector.h: the edges of happens-before, and the locks that the threads hold.
#include "vigil/race/detect/spin_lock.h"
#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/detector/sync_objects.h"
#include "vigil/race/rt/detector/threads.h"

namespace vigil::race {

void acquire(const volatile void* address) {
  Thread* const thread = thread_self;
  if (thread == nullptr || !detection_on) return;
  const auto at = reinterpret_cast<Address>(address);
  SyncObject* const object = find_sync(at);
  if (object == nullptr) return;
  const InsideScope inside(*thread);
  if (object->teaches_nothing(thread->clock)) return;
  const SpinGuard guard(object->lock);
  if (object->address == at) object->clock.acquire(thread->clock);
}

void release_store(const volatile void* address) {
  Thread* const thread = thread_self;
  if (thread == nullptr || !detection_on) return;
  const InsideScope inside(*thread);
  LockedSync(reinterpret_cast<Address>(address)).release_store(thread->clock, thread->now());
  next_epoch(*thread);
}

void release_merge(const volatile void* address) {
  Thread* const thread = thread_self;
  if (thread == nullptr || !detection_on) return;
  const InsideScope inside(*thread);
  LockedSync(reinterpret_cast<Address>(address)).release_merge(thread->clock, thread->now());
  next_epoch(*thread);
}

// ---- locks held, for reports

void lock_acquired(const volatile void* lock, LockKind kind, Address pc) {
  Thread* const thread = thread_self;
  if (thread == nullptr) return;
  const auto address = reinterpret_cast<Address>(lock);
  const StackId stack = stack_at(*thread, pc);
  SyncObject& object = find_or_make_sync(address);
  const std::uint32_t place = thread->held_count++;
  if (place < Thread::kHeldLocks) thread->held[place] = {address, stack, kind, object.id};
  if (kind == LockKind::kReadLock) return;
  // Only the holder writes these: the program's lock protects them.
  __atomic_store_n(&object.holder, static_cast<std::int32_t>(thread->number), __ATOMIC_RELAXED);
  __atomic_store_n(&object.held_since, stack, __ATOMIC_RELAXED);
}

namespace {

// Of the calls that took the lock the latest; false if the thread goes on holding it.
bool forget_held(Thread& thread, Address address) {
  if (thread.held_count > Thread::kHeldLocks) {
    --thread.held_count;
    return true;
  }
  HeldLock* const end = thread.held + thread.held_count;
  HeldLock* latest = nullptr;
  bool again = false;
  for (HeldLock* held = thread.held; held != end; ++held) {
    if (held->address != address) continue;
    again = latest != nullptr;
    latest = held;
  }
  if (latest == nullptr) return true;
  for (; latest + 1 != end; ++latest) *latest = latest[1];
  --thread.held_count;
  return !again;
}

}  // namespace

void lock_released(const volatile void* lock) {
  Thread* const thread = thread_self;
  if (thread == nullptr) return;
  const auto address = reinterpret_cast<Address>(lock);
  if (!forget_held(*thread, address)) return;
  if (SyncObject* const object = find_sync(address)) {
    __atomic_store_n(&object->holder, -1, __ATOMIC_RELAXED);
  }
}

LockHolder lock_holder(const volatile void* lock) {
  SyncObject* const object = find_sync(reinterpret_cast<Address>(lock));
  if (object == nullptr) return {};
  return {__atomic_load_n(&object->holder, __ATOMIC_RELAXED),
          __atomic_load_n(&object->held_since, __ATOMIC_RELAXED)};
}

}  // namespace vigil::race
