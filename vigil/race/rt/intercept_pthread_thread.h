// SPDX-License-Identifier: Apache-2.0
//
// The program's handles of threads (pthread_t) and what the runtime knows behind them.
//
// An entry lives from the thread's start until its end is known to nobody any more: it was joined,
// or it was detached and has ended. glibc uses a handle again only after that.
//
// Thread safety: all; a returned entry stays valid as long as the program may use the handle.
// Context: interceptor.
#pragma once

#include <pthread.h>

#include <cstdint>

#include "vigil/race/rt/detector.h"

namespace vigil::race {

struct ThreadEntry {
  pthread_t handle;
  Thread* thread;
  std::uint32_t task;  // kNoTask in free mode
  std::uint32_t finished;
  std::uint32_t detached;
  std::uint32_t destructor_rounds;
  ThreadEntry* next;
};

// Null for a thread that the runtime did not see start.
ThreadEntry* find_thread(pthread_t handle);

// The calling thread's own; null in threads that the runtime did not start.
ThreadEntry* own_thread();

// The main thread takes part like any other. Context: init.
void pthread_init();

// In the child of fork(): the others are gone.
void pthread_after_fork();

}  // namespace vigil::race
