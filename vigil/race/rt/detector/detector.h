// SPDX-License-Identifier: Apache-2.0
//
// The detector, as interceptors and the scheduler see it: edges of happens-before, locks held,
// threads, findings. Accesses to memory are reported through world/accesses.h.
//
// Every function may be called at any time, also before start-up and in a thread that has no
// Thread (yet, or any more): then it does nothing. Edges cost one test until the program creates
// its second thread, because nothing can race before.
//
// Synchronisation is named by an address; its clock comes into being with the first release:
//   release_store: the object's clock becomes the thread's (a mutex: the last owner counts)
//   release_merge: the thread's clock is joined to it (a semaphore: every poster counts)
//   acquire:       the object's clock is joined to the thread's
//
// Context: interceptor, unless a function says otherwise. `errno` is preserved.
// Thread safety: all functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vigil/report/record.h"

namespace vigil::race {

using Address = std::uintptr_t;
using report::StackId;

class Thread;

// The caller's return address, in an interceptor.
#define VIGIL_CALLER_PC (reinterpret_cast<std::uintptr_t>(__builtin_return_address(0)))

Thread* current_thread();

// ---- memory

// The memory starts a new life (mmap, munmap, a new stack): its history and its synchronisation
// objects are forgotten.
void memory_reset(const volatile void* address, std::size_t size);

// Races on the range are not reported any more: the program said that they are meant.
void mark_benign(const volatile void* address, std::size_t size);

// ---- happens-before

void acquire(const volatile void* address);
void release_store(const volatile void* address);
void release_merge(const volatile void* address);

// Forgets the clocks of all synchronisation objects in the range.
void sync_destroyed(const volatile void* address, std::size_t size);

// ---- locks held, for reports

enum class LockKind : std::uint8_t { kMutex, kReadLock, kWriteLock, kSpinLock };

void lock_acquired(const volatile void* lock, LockKind kind, Address pc);
void lock_released(const volatile void* lock);

// ---- threads
//
// pthread_create calls thread_created() in the parent, then thread_started() first of all in the
// child; the child ends with thread_finished(). A successful join calls thread_joined(). A Thread
// is reused when it is finished and joined or detached; its number is not.

// Null if there is no memory for another thread.
Thread* thread_created(Address pc);
void thread_abandoned(Thread* thread);  // the creation failed
void thread_started(Thread* thread);
void thread_finished();
void thread_joined(Thread* thread);
void thread_detached(Thread* thread);
void thread_named(Thread* thread, const char* name);

// ---- fibers: stacks that a program switches between by itself, each a thread of its own for the
// detector. The kernel's threads are the first fibers, and must be left for good on theirs.

// The calling fiber goes on as `fiber`. With `synchronised`, what it did happens before what comes.
void switch_to_fiber(Thread* fiber, bool synchronised);
// It ran for the last time, and is not the calling one.
void fiber_destroyed(Thread* fiber);

// From 0, the main thread, in the order of creation; as in the records.
std::uint32_t thread_number(const Thread* thread);

// Around a fork: no other thread is inside the detector or the heap at that moment, and in the
// child the other threads are gone. fork() calls them by itself (pthread_atfork); for forks without
// libc.
void before_fork();
void after_fork();
void after_fork_in_child();

// ---- stacks

// Where the current thread is, with `pc` as the innermost place.
StackId current_stack(Address pc);

// A frame for the time of an interceptor: the function that called it is in the stacks.
class FrameScope {
 public:
  explicit FrameScope(Address pc);
  ~FrameScope();
  FrameScope(const FrameScope&) = delete;
  FrameScope& operator=(const FrameScope&) = delete;

 private:
  void* frame_;
};

// Depth of the frames, to be put back by longjmp and after a signal handler.
void* frame_mark();
void frame_restore(void* mark);

// Accesses of the current thread are not recorded (those of the runtime, of libc's callbacks).
class IgnoreScope {
 public:
  IgnoreScope();
  ~IgnoreScope();
  IgnoreScope(const IgnoreScope&) = delete;
  IgnoreScope& operator=(const IgnoreScope&) = delete;
};

// Accesses of the current thread are recorded whatever scope it is in: around the program's own
// signal handlers.
class RecordScope {
 public:
  RecordScope();
  ~RecordScope();
  RecordScope(const RecordScope&) = delete;
  RecordScope& operator=(const RecordScope&) = delete;

 private:
  int before_;
};

// ---- findings of the scheduler and the interceptors

struct Waiter {
  std::uint32_t thread = 0;
  std::int32_t holder = -1;  // thread that holds the object, -1 if none does
  const volatile void* object = nullptr;
  StackId stack = 0;
  StackId holder_stack = 0;    // where the holder took it
  const char* operation = "";  // "pthread_mutex_lock"
};

// The latest holder of a lock, as lock_acquired() said; -1 if it is free.
struct LockHolder {
  std::int32_t thread = -1;
  StackId acquired_at = 0;
};
LockHolder lock_holder(const volatile void* lock);

// Threads that wait for good: kind is report::Kind::kDeadlock, kLostWakeUp or kLivelock.
void report_waiters(std::uint8_t kind, const Waiter* waiters, std::size_t count);

// free() of what is not a block in use.
void report_bad_free(const void* block, Address pc);

// The program's own end by a signal (abort, fault) at `pc`. Context: signal.
void report_crash(int signal, Address fault_address, Address pc);

// A sentence for the user.
void report_note(const char* text);

// Number of findings so far.
std::uint32_t findings();

// Appends one whole record (events, decisions) to the record file, if there is one.
void write_record(const report::RecordHeader* record);

// ---- the end of the process

// Writes the summary (once) and returns the exit code to end with: `wanted`, or the option
// exit_code if there were findings. Context: interceptor, before the real exit.
int finish_process(int wanted);

}  // namespace vigil::race
