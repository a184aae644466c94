// SPDX-License-Identifier: Apache-2.0
//
// A finding as records of the record file, with the threads and stacks that it names before it.
//
// Thread safety: one finding at a time. Context: interceptor, signal.
#pragma once

#include "vigil/race/rt/detector/finding.h"

namespace vigil::race {

// REQUIRES: recording_to_file().
void record_finding(Finding& finding);

}  // namespace vigil::race
