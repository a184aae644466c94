// SPDX-License-Identifier: Apache-2.0
//
// Start-up of the runtime. malloc and other interceptors are called before any constructor runs:
// the first of them starts it.
//
// start() is the one call of the runtime that goes up: it is in init.cc, above all folders.
#pragma once

namespace vigil::race {

namespace started_internal {
inline constinit bool started = false;
void start();
}  // namespace started_internal

// Context: init, interceptor.
inline void ensure_started() {
  if (__builtin_expect(!started_internal::started, 0)) started_internal::start();
}

}  // namespace vigil::race
