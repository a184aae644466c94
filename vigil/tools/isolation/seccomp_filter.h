// SPDX-License-Identifier: Apache-2.0
//
// The system calls that a reader of foreign files needs: it opens files for reading, maps them, and
// writes to one descriptor. Every other call fails with EPERM.
//
// Thread safety: acts on the calling thread, for good.
#pragma once

namespace vigil::tools {

// Whether a sanitizer watches the process, which it reports on the standard error.
#ifdef VIGIL_ISOLATION_SANITIZED
inline constexpr bool kIsSanitized = true;
#else
inline constexpr bool kIsSanitized = false;
#endif

// False: the kernel or a container does not permit filters.
bool permit_only_reading(int answers, bool may_trace);

}  // namespace vigil::tools
