// SPDX-License-Identifier: Apache-2.0
//
// The program's threads as the detector knows them, and the table of all of them.
//
// Slots (detect/cell.h) are scarcer than threads. A new thread takes
//   1. the slot of an ended thread whose end its creator knows (it was joined): nothing is lost,
//      because everything the ended thread did happened before;
//   2. a slot never used;
//   3. the slot of a thread whose end the creator does not know: the new thread then counts as
//      ordered after it, which can hide a race between the two but never invents one;
//   4. none, if 511 threads live: its accesses are checked but not remembered.
// A thread that used up its slot's epochs takes a fresh slot. When there is none, all history is
// forgotten and every thread starts again in a new slot (reset_history); that takes 500 million
// releases.
//
// Each thread marks the time that it spends inside the detector (InsideScope), so that
// reset_history can wait until none is.
//
// Locks of the runtime are taken from left to right: findings -> world -> thread table -> sync
// object -> sync table -> heap class -> large blocks -> records. A holder waits for nothing else.
//
// Thread safety: a Thread belongs to its own thread; the table is locked.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vigil/race/detect/stack_tree.h"
#include "vigil/race/detect/vector_clock.h"
#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/detector/heap_cache.h"

namespace vigil::race {

// A call in progress. `stack` is 0 until it is first needed.
struct Frame {
  Address pc;
  StackId stack;
};

struct HeldLock {
  Address address;
  StackId acquired_at;
  LockKind kind;
  std::uint32_t id;  // SyncObject::id
};

enum class ThreadState : std::uint8_t { kUnused, kCreated, kRunning, kFinished };

class Thread {
 public:
  static constexpr std::size_t kFrames = std::size_t{1} << 20;
  static constexpr std::uint32_t kHeldLocks = 64;

  std::uint32_t number = 0;
  Slot slot = 0;
  bool has_slot = false;
  bool released = false;   // joined or detached
  bool exhausted = false;  // its slot has no further epoch
  ThreadState state = ThreadState::kUnused;
  int inside = 0;
  // Depth of the scopes in which its accesses are not recorded. The main thread starts in one,
  // which ends when it creates the second thread: nothing can race before.
  int ignoring = 0;
  std::uint32_t lane = 0;  // counts up, to choose among equals
  VectorClock clock;
  // What relaxed loads saw, for a later acquire fence; what a release fence published for later
  // relaxed stores. Null until the thread's first such operation.
  VectorClock* acquire_fence = nullptr;
  VectorClock* release_fence = nullptr;
  Frame* frames = nullptr;   // [0] is the empty stack
  Frame* resting = nullptr;  // of a fiber that does not run: where its calls stand
  Cell* base = nullptr;      // the running thread's `thread_base`
  Address stack_begin = 0;
  Address stack_end = 0;
  std::uint32_t held_count = 0;
  HeldLock held[kHeldLocks];
  Thread* next_ended = nullptr;
  HeapCache heap;
  StackCache stacks;

  Moment now() const { return has_slot ? moment(slot, clock.epoch(slot)) : 0; }
};

// What outlives a Thread, for reports.
struct ThreadInfo {
  std::uint32_t created_by;
  StackId created_at;
  std::uint32_t recorded;  // whether its record was written
  char name[20];
};

// Per-thread state of the fast path; separate thread_locals, so that each has a link-time constant
// offset. thread_base is a hint for "already recorded?": Thread::clock says what counts.
extern thread_local constinit Cell thread_base [[gnu::tls_model("local-exec")]];
extern thread_local constinit Frame* thread_frame [[gnu::tls_model("local-exec")]];
extern thread_local constinit Thread* thread_self [[gnu::tls_model("local-exec")]];
extern bool detection_on;

// The calling thread becomes the main thread. Context: init.
void threads_init();

// No access is taken for recorded before: each takes the slow path, where it may be a scheduling
// point. Context: init, before threads_init().
void disable_fast_path();

ThreadInfo& thread_info(std::uint32_t number);
std::uint32_t thread_count();

// The thread that used the slot at that epoch.
std::uint32_t thread_number_at(Moment at);

// The living thread whose stack the address is in, or null. Context: interceptor.
const Thread* thread_with_stack(Address address);

// The thread's clock goes on to its next epoch: after every release.
void next_epoch(Thread& thread);

// ---- the life of a thread; detector.h says in which order

// Null if there is no memory for another thread.
Thread* add_thread(Thread& creator, Address pc);
// The calling thread is this one from now on.
void become(Thread& thread);
// The calling thread, which is this one, is none from now on.
void leave(Thread& thread);
// The calling thread, which is `from`, is `to` from now on, and may be `from` again.
void exchange(Thread& from, Thread& to);
// It never ran.
void abandon_thread(Thread& thread);
// It was joined or detached: its slot may be another's as soon as it has ended.
void release_thread(Thread& thread);

// Around fork(): no other thread is inside the detector.
void stop_threads();
void resume_threads();
// In the child: the others are gone, and all that they did happened before.
void forget_other_threads();

// ---- frames

StackId stack_slow_path(Thread& thread);

// The stack of the function that runs.
[[gnu::always_inline]] inline StackId stack_here(Thread& thread) {
  const StackId stack = thread_frame->stack;
  return __builtin_expect(stack != 0, 1) ? stack : stack_slow_path(thread);
}

extern StackTree stack_tree;

[[gnu::always_inline]] inline StackId stack_at(Thread& thread, Address pc) {
  return thread.stacks.push(stack_tree, stack_here(thread), pc);
}

// ---- inside the detector

extern int world_stopped;
void wait_for_world(Thread& thread);
void leave_exhausted(Thread& thread);

class InsideScope {
 public:
  explicit InsideScope(Thread& thread) : thread_(thread) {
    if (thread_.inside++ != 0) return;
    // Only the compiler must keep the order: the thread that stops the world issues a barrier in
    // every thread.
    asm volatile("" : : : "memory");
    if (__builtin_expect(__atomic_load_n(&world_stopped, __ATOMIC_RELAXED) != 0, 0)) {
      wait_for_world(thread_);
    }
  }
  ~InsideScope() {
    __atomic_store_n(&thread_.inside, thread_.inside - 1, __ATOMIC_RELEASE);
    if (__builtin_expect(thread_.exhausted, 0)) leave_exhausted(thread_);
  }
  InsideScope(const InsideScope&) = delete;
  InsideScope& operator=(const InsideScope&) = delete;

 private:
  Thread& thread_;
};

}  // namespace vigil::race
