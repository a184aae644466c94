// SPDX-License-Identifier: Apache-2.0
//
// repair_directory: makes a damaged data directory readable again and keeps what can be verified.
//
//   a record that does not verify   what verifies behind it in its segment becomes a segment of its
//                                   own, whose header says how many bytes were given up in between
//   a damaged header                made anew from the chain of the records, which holds its salt
//   a lost or misplaced segment     the next one says what is missing
//   a damaged snapshot              made anew of its blocks that verify
//   a torn tail                     cut off, whatever its size
//
// Records behind a hole are kept although what was in the hole is lost: each holds the whole state
// of its key, so other keys are as they were, and a key of the hole is older than it was or there
// again. The report says so for each step.
//
// Each file is copied to a name with `saved.` before it is changed; those are never read.
// Interrupted by a crash it can be begun again.
//
// Thread safety: one at a time; the directory's lock sees to that.
#pragma once

#include <string>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/log/directory.h"
#include "vigil/log/log_reader.h"

namespace vigil::log {

struct RepairReport {
  std::vector<std::string> steps;  // sentences; empty: there was nothing to do
  LogEnd end;
};

// REQUIRES: opened by open_to_repair().
[[nodiscard]] Result<RepairReport> repair_directory(Directory& directory);

}  // namespace vigil::log
