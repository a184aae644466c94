// SPDX-License-Identifier: Apache-2.0
//
// A finding as text on standard error, for programs started without `vigil race run`: places as
// module+offset, which addr2line understands.
//
// Thread safety: one finding at a time. Context: interceptor, signal.
#pragma once

#include "vigil/race/rt/detector/finding.h"

namespace vigil::race {

void print_finding(const Finding& finding);

}  // namespace vigil::race
