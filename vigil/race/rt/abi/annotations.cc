// SPDX-License-Identifier: Apache-2.0
//
// What a program may tell the detector: ThreadSanitizer's public interface
// (sanitizer/tsan_interface.h) and the dynamic annotations of Valgrind and older ThreadSanitizers.
// Context: the program's own code.
#include <cstddef>
#include <cstdint>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/detector/threads.h"
#include "vigil/race/rt/raw/memory.h"
#include "vigil/race/rt/raw/syscall.h"
#include "vigil/race/rt/world/controlled.h"

using namespace vigil::race;

namespace {

// Flags of the mutex annotations, as the interface numbers them.
constexpr unsigned kReadLock = 1 << 3;
constexpr unsigned kTryLock = 1 << 4;
constexpr unsigned kTryLockFailed = 1 << 5;

// Readers release into their own clock: they order writers, not each other.
void* readers_of(void* mutex) { return static_cast<char*>(mutex) + 1; }

void lock_by_annotation(void* mutex, bool write, Address pc) {
  acquire(mutex);
  if (write) acquire(readers_of(mutex));
  lock_acquired(mutex, write ? LockKind::kWriteLock : LockKind::kReadLock, pc);
}

void unlock_by_annotation(void* mutex, bool write) {
  lock_released(mutex);
  if (write) {
    release_store(mutex);
  } else {
    release_merge(readers_of(mutex));
  }
}

void forget_mutex(void* mutex) { sync_destroyed(mutex, 2); }

void begin_ignoring() {
  if (Thread* const thread = current_thread()) ++thread->ignoring;
}
void end_ignoring() {
  if (Thread* const thread = current_thread()) --thread->ignoring;
}

// Barrier of ThreadSanitizer's own tests: makes threads wait for each other without ordering them.
struct TestBarrier {
  std::uint32_t wanted;
  std::uint32_t arrived;
  std::uint32_t round;
};
constexpr std::uint32_t kTestBarriers = 1024;
struct State {
  TestBarrier barriers[kTestBarriers];
  std::uint32_t barrier_count;
};
constinit State state = {};

}  // namespace

extern "C" {

void __tsan_acquire(void* address) { acquire(address); }
void __tsan_release(void* address) { release_merge(address); }

void __tsan_mutex_create(void*, unsigned) {}
void __tsan_mutex_destroy(void* mutex, unsigned) { forget_mutex(mutex); }
void __tsan_mutex_pre_lock(void*, unsigned) { begin_ignoring(); }
void __tsan_mutex_post_lock(void* mutex, unsigned flags, int) {
  end_ignoring();
  if ((flags & kTryLock) != 0 && (flags & kTryLockFailed) != 0) return;
  lock_by_annotation(mutex, (flags & kReadLock) == 0, VIGIL_CALLER_PC);
}
int __tsan_mutex_pre_unlock(void* mutex, unsigned flags) {
  unlock_by_annotation(mutex, (flags & kReadLock) == 0);
  begin_ignoring();
  return 0;
}
void __tsan_mutex_post_unlock(void*, unsigned) { end_ignoring(); }
void __tsan_mutex_pre_signal(void*, unsigned) { begin_ignoring(); }
void __tsan_mutex_post_signal(void*, unsigned) { end_ignoring(); }
void __tsan_mutex_pre_divert(void*, unsigned) { end_ignoring(); }
void __tsan_mutex_post_divert(void*, unsigned) { begin_ignoring(); }

void AnnotateHappensBefore(const char*, int, void* address) { release_merge(address); }
void AnnotateHappensAfter(const char*, int, void* address) { acquire(address); }
void WTFAnnotateHappensBefore(const char*, int, void* address) { release_merge(address); }
void WTFAnnotateHappensAfter(const char*, int, void* address) { acquire(address); }

void AnnotateCondVarSignal(const char*, int, void* condition) { release_merge(condition); }
void AnnotateCondVarSignalAll(const char*, int, void* condition) { release_merge(condition); }
void AnnotateCondVarWait(const char*, int, void* condition, void*) { acquire(condition); }
void AnnotateMutexIsNotPHB(const char*, int, void*) {}

void AnnotateRWLockCreate(const char*, int, void*) {}
void AnnotateRWLockCreateStatic(const char*, int, void*) {}
void AnnotateRWLockDestroy(const char*, int, void* mutex) { forget_mutex(mutex); }
void AnnotateRWLockAcquired(const char*, int, void* mutex, std::intptr_t write) {
  lock_by_annotation(mutex, write != 0, VIGIL_CALLER_PC);
}
void AnnotateRWLockReleased(const char*, int, void* mutex, std::intptr_t write) {
  unlock_by_annotation(mutex, write != 0);
}

void AnnotateIgnoreReadsBegin(const char*, int) { begin_ignoring(); }
void AnnotateIgnoreReadsEnd(const char*, int) { end_ignoring(); }
void AnnotateIgnoreWritesBegin(const char*, int) { begin_ignoring(); }
void AnnotateIgnoreWritesEnd(const char*, int) { end_ignoring(); }
void AnnotateIgnoreSyncBegin(const char*, int) {}
void AnnotateIgnoreSyncEnd(const char*, int) {}

void AnnotateBenignRaceSized(const char*, int, void* address, std::size_t size, const char*) {
  mark_benign(address, size);
}
void WTFAnnotateBenignRaceSized(const char*, int, void* address, std::size_t size, const char*) {
  mark_benign(address, size);
}
void AnnotateBenignRace(const char*, int, void* address, const char*) { mark_benign(address, 1); }

void AnnotateNewMemory(const char*, int, void* address, std::size_t size) {
  memory_reset(address, size);
}
void AnnotateFlushState(const char*, int) {}
void AnnotateFlushExpectedRaces(const char*, int) {}
void AnnotateEnableRaceDetection(const char*, int, int) {}
void AnnotateMutexIsUsedAsCondVar(const char*, int, void*) {}
void AnnotatePCQGet(const char*, int, void*) {}
void AnnotatePCQPut(const char*, int, void*) {}
void AnnotatePCQCreate(const char*, int, void*) {}
void AnnotatePCQDestroy(const char*, int, void*) {}
void AnnotatePublishMemoryRange(const char*, int, void*, std::size_t) {}
void AnnotateUnpublishMemoryRange(const char*, int, void*, std::size_t) {}
void AnnotateThreadName(const char*, int, const char* name) {
  thread_named(current_thread(), name);
}
void AnnotateTraceMemory(const char*, int, void*) {}
int RunningOnValgrind() { return 0; }

void __tsan_testonly_barrier_init(std::uint32_t* barrier, unsigned count) {
  const std::uint32_t number = __atomic_fetch_add(&state.barrier_count, 1, __ATOMIC_RELAXED);
  if (number >= kTestBarriers) fail("too many test barriers");
  state.barriers[number].wanted = count;
  *barrier = number;
}

void __tsan_testonly_barrier_wait(std::uint32_t* barrier) {
  TestBarrier& of = state.barriers[*barrier];
  scheduling_point(PointKind::kSync, &of);
  const std::uint32_t round = __atomic_load_n(&of.round, __ATOMIC_SEQ_CST);
  if (__atomic_add_fetch(&of.arrived, 1, __ATOMIC_SEQ_CST) == of.wanted) {
    __atomic_store_n(&of.arrived, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&of.round, round + 1, __ATOMIC_SEQ_CST);
    if (controlled()) wake(&of, kEveryone);
    return;
  }
  while (__atomic_load_n(&of.round, __ATOMIC_SEQ_CST) == round) {
    if (controlled()) {
      block_on(&of, kNever, "test barrier");
    } else {
      raw_syscall(SYS_sched_yield);
    }
  }
}

}  // extern "C"
