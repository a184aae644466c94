// SPDX-License-Identifier: Apache-2.0
//
// The program's handles of threads (pthread_t) and what the runtime knows behind them.
//
// An entry lives from the thread's start until no thread knows its end any more: it was joined, or
// it was detached and has ended. glibc uses a handle again only after that.
//
// End: C++ thread_local destructors run first, then those of keys in up to four rounds; the
// runtime's own key asks for another round until the last one, and only then the thread ends for
// the detector and gives the token away.
//
// Thread safety: all; a returned entry stays valid as long as the program may use the handle.
// Context: interceptor.
#pragma once

#include <pthread.h>

#include <cstdint>

#include "vigil/race/rt/detector/detector.h"

namespace vigil::race {

struct ThreadEntry {
  pthread_t handle;
  Thread* thread;
  std::uint32_t task;  // kNoTask in free mode
  std::uint32_t finished;
  std::uint32_t detached;
  std::uint32_t destructor_rounds;
  bool starts_in_library;  // see LibraryThreads
  ThreadEntry* next;
};

// Null for a thread that the runtime did not see start.
ThreadEntry* find_thread(pthread_t handle);

// The calling thread's own; null in threads that the runtime did not start.
ThreadEntry* own_thread();

// For a thread that is going to be created.
ThreadEntry* take_entry();
// The thread was not created.
void give_up_entry(ThreadEntry* entry);

// The calling thread is the entry's, and is known by its handle from now on. At its end the runtime
// hears of it.
void register_own_thread(ThreadEntry* entry);

// The thread was joined: its handle may be used again.
void forget_entry(ThreadEntry* entry);
// The thread was detached.
void mark_detached(ThreadEntry* entry);

// Threads that the calling thread creates now begin in a library that the runtime does not see wait
// (OpenMP's), and take part in the schedule from when they come out of it.
class LibraryThreads {
 public:
  explicit LibraryThreads(bool begin_there = true);
  ~LibraryThreads();
  LibraryThreads(const LibraryThreads&) = delete;
  LibraryThreads& operator=(const LibraryThreads&) = delete;

 private:
  bool before_;
};

// The contrary, inside of the program's code that such a library calls.
class OrdinaryThreads : LibraryThreads {
 public:
  OrdinaryThreads() : LibraryThreads(false) {}
};

// The main thread takes part like any other. Context: init.
void thread_handles_init();

// In the child of fork(): the others are gone.
void thread_handles_after_fork();

}  // namespace vigil::race
