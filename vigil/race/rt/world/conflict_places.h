// SPDX-License-Identifier: Apache-2.0
//
// The accesses at which threads may be switched with points=conflicts: those that raced in an
// earlier schedule, as return addresses of the calls that report them. `vigil race run` gathers
// them and names the file that lists them, one decimal number per line in ascending order.
//
// Source of the idea: Sen, "Race Directed Random Testing of Concurrent Programs" (PLDI 2008).
//
// Thread safety: controlled mode, under the token. Context: interceptor.
#pragma once

#include <cstdint>

namespace vigil::race {

// Whether a plain access reported at `pc` is a scheduling point.
// REQUIRES: points_at_memory(). Complexity: O(log n) in the number of places.
bool is_memory_point(std::uintptr_t pc);

}  // namespace vigil::race
