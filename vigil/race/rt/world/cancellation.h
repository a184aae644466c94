// SPDX-License-Identifier: Apache-2.0
//
// A place where the calling thread ends if it was cancelled, as the real function has one. The
// program's own pthread_testcancel() is a scheduling point, too.
//
// Thread safety: all. Context: interceptor.
#pragma once

#include <pthread.h>

#include "vigil/race/rt/world/real_function.h"

namespace vigil::race {

inline constinit Real<decltype(&::pthread_testcancel)> real_testcancel("pthread_testcancel");

inline void test_cancellation() { real_testcancel(); }

}  // namespace vigil::race
