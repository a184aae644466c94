// SPDX-License-Identifier: Apache-2.0
//
// Evidence from a core file or a living process: every thread with its stack (inlined functions in
// their places), who is inside an operation on which map, and who collides there.
//
//   Result<report::Evidence> evidence = read_core_evidence("core.4242", {});
//   Result<report::Evidence> live = read_process_evidence(4242);
//
// Findings:
//   - two threads or more inside the same map (the same address), one of which changes it, unless
//     the map is made for that. Kind kMapWrites, kMapReadAndWrite or kMapIterationAndWrite; the
//     accesses carry the address, so the collision is certain; where the compiler did not keep it
//     and it is concluded from the code around, they carry none, and the collision is likely.
//   - the signal that ended the process (kCrash), with the map operation it happened in, if any.
// Threads inside a map operation say so in their state: "map write of shop::cache".
//
// A core is of one moment. A process is stopped while it is read, then goes on as it was; a warning
// says for how long.
//
// Thread safety: may be called from several threads for different inputs.
// Errors: what cannot be read at all; anything less is a warning in the Evidence.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "vigil/base/result.h"
#include "vigil/report/report.h"

namespace vigil::tools {

// Whether a file that begins like this is an ELF core file, a cut-off one too.
bool is_core(std::string_view head);

struct CoreOptions {
  std::string executable;  // empty: the one that the core names. Another program is an Error
};

Result<report::Evidence> read_core_evidence(const std::string& path, const CoreOptions& options);

// REQUIRES: the right to trace the process (same user, or root).
Result<report::Evidence> read_process_evidence(pid_t process);

}  // namespace vigil::tools
