// SPDX-License-Identifier: Apache-2.0
//
// What the C library, the dynamic loader and g++'s OpenMP library do for themselves is no access of
// the program: they order it by locks that the runtime does not see. A block that they allocate or
// free for their own use has no history; functions that free the program's blocks have
// interceptors, which say so.
//
// Thread safety: all functions. Context: interceptor.
#pragma once

#include "vigil/race/rt/detector/detector.h"

namespace vigil::race {

// Notes where their code is: from an address in each. Context: init.
void c_library_init(Address in_library, Address in_loader);

// The same for libgomp, which is loaded when it is used for the first time.
void openmp_library_loaded(Address in_library);

// Whether the call that returns to `pc` was made by one of them.
bool called_by_c_library(Address pc);

}  // namespace vigil::race
