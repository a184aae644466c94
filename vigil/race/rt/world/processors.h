// SPDX-License-Identifier: Apache-2.0
//
// Processors. In controlled mode all threads run on one, because handing over is fast there; the
// program sees those that it had before, and those that it asks for: how many threads a pool starts
// does not depend on the mode.
//
// Thread safety: the token orders everything. Context: interceptor.
#pragma once

#include <sched.h>

#include <cstddef>
#include <cstdint>

namespace vigil::race {

// Notes the processors that the program may use; controlled: goes to the one of the option
// `processor`. Context: init.
void processors_init();

// The task whose processors the kernel's thread (0: the calling one) has; kNoTask: ask the kernel.
std::uint32_t task_with_processors(std::int32_t kernel_thread);

// Controlled: what the task's thread may use, as the program sees it, in `size` bytes. Both give an
// error number: EINVAL for a wrong size, or for a set without a processor that there is.
int get_processors(std::uint32_t task, std::size_t size, cpu_set_t* set);
int set_processors(std::uint32_t task, std::size_t size, const cpu_set_t* wanted);

}  // namespace vigil::race
