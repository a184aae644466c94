// SPDX-License-Identifier: Apache-2.0
//
// The system calls that a program makes by itself, as far as they open and close descriptors: one
// table of all of them, for syscall() and for whoever else sees calls by their numbers.
//
// Thread safety: all. Context: interceptor.
#pragma once

#include "vigil/race/rt/detector/detector.h"

namespace vigil::race {

// Before the call: what it closes is closed, what it hands over is released.
void descriptor_call_begins(long number, const long* arguments, Address pc);
// After it succeeded: what it opened is open, what it brought is acquired.
void descriptor_call_succeeded(long number, const long* arguments, long result, Address pc);

}  // namespace vigil::race
