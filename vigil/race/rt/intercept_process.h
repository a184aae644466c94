// SPDX-License-Identifier: Apache-2.0
//
// Processes and what a run must not take from outside: entropy.
//
// Context: interceptor.
#pragma once

#include <cstddef>

namespace vigil::race {

// Controlled: bytes from the schedule's seed.
void fill_with_random(void* bytes, std::size_t size);

// Whether the process ever forked: its descriptors then may be written by another process.
bool forked_before();

}  // namespace vigil::race
