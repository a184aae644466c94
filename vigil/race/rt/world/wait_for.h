// SPDX-License-Identifier: Apache-2.0
//
// Controlled: the loop of every interceptor whose real function may block. `attempt` does it
// without blocking and returns EBUSY as long as it would block; whatever changes the object calls
// wake(object).
//
//   wait_for(mutex, deadline_ns, "pthread_mutex_lock", [&] { return real_trylock(mutex); });
//
// Between a failed attempt and the wait no other thread runs, so no wake-up is lost. The last
// attempt is made after the deadline: an object that came free at that moment counts.
//
// Thread safety: the token orders everything. Context: interceptor.
#pragma once

#include <cerrno>
#include <cstdint>

#include "vigil/race/rt/world/controlled.h"

namespace vigil::race {

// What the attempt returned last, or ETIMEDOUT. Signals are handled, and the wait goes on.
template <class Attempt>
int wait_for(const volatile void* object, std::uint64_t deadline_ns, const char* operation,
             Attempt attempt) {
  for (bool late = false;;) {
    const int result = attempt();
    if (result != EBUSY) return result;
    if (late) return ETIMEDOUT;
    late = block_on(object, deadline_ns, operation) == WaitResult::kTimedOut;
  }
}

// The same for a wait that a signal or a cancellation ends: `interrupted` handles it and returns an
// error to end with, or 0 to go on waiting.
template <class Attempt, class Interrupted>
int wait_for(const volatile void* object, std::uint64_t deadline_ns, const char* operation,
             Attempt attempt, Interrupted interrupted) {
  for (bool late = false;;) {
    const int result = attempt();
    if (result != EBUSY) return result;
    if (late) return ETIMEDOUT;
    const WaitResult wait = block_on(object, deadline_ns, operation, true);
    late = wait == WaitResult::kTimedOut;
    if (wait != WaitResult::kInterrupted) continue;
    if (const int error = interrupted(); error != 0) return error;
  }
}

}  // namespace vigil::race
