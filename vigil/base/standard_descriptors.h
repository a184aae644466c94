// SPDX-License-Identifier: Apache-2.0
//
// Standard descriptors: 0, 1 and 2 are open in every program that calls this first, on /dev/null if
// nobody opened them. Else the next file or socket gets such a number, and what is written to
// standard error goes into it.
//
// Thread safety: before the first thread starts and the first file is opened.
#pragma once

namespace vigil {

void open_standard_descriptors() noexcept;

}  // namespace vigil
