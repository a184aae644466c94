// SPDX-License-Identifier: Apache-2.0
//
// The evidence of core_evidence.h, read in a process of its own: what brings libelf or libdw down
// costs this input and no other.
//
// Use when: the core, or the program it is of, comes from somebody else. Use instead:
// core_evidence.h in tests of the reader itself.
//
// Thread safety: as IsolatedReader (vigil/tools/isolation). Cost: some ms, and the evidence as
// JSON.
#pragma once

#include <sys/types.h>

#include <string>

#include "vigil/base/result.h"
#include "vigil/report/report.h"
#include "vigil/tools/core/core_evidence.h"

namespace vigil::tools {

Result<report::Evidence> read_core_evidence_apart(const std::string& path,
                                                  const CoreOptions& options);
Result<report::Evidence> read_process_evidence_apart(pid_t process);

}  // namespace vigil::tools
