// SPDX-License-Identifier: Apache-2.0
//
// Start-up and end of the runtime. malloc and other interceptors are called before any constructor
// runs: whoever comes first starts it.
#pragma once

namespace vigil::race {

namespace init_internal {
extern bool started;
void start();
}  // namespace init_internal

// Context: init, interceptor.
inline void ensure_started() {
  if (__builtin_expect(!init_internal::started, 0)) init_internal::start();
}

}  // namespace vigil::race
