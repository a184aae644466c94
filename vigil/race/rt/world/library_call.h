// SPDX-License-Identifier: Apache-2.0
//
// Around a function of the C library that is a closed box: it may load modules that lock, open and
// read through the interceptors, while it holds a lock that the runtime does not see. Nothing
// inside is an access of the program, and no other thread gets the token.
//
// Thread safety: one thread. Context: interceptor.
#pragma once

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/world/controlled.h"

namespace vigil::race {

class LibraryCall {
 public:
  explicit LibraryCall(Address pc) : frame_(pc) {}

 private:
  FrameScope frame_;
  IgnoreScope ignore_;
  NoPreemption whole_;
};

}  // namespace vigil::race
