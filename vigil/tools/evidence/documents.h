// SPDX-License-Identifier: Apache-2.0
//
// The readers of formats that are not lines of a log: one document per input.
//
// Thread safety: none. Errors: what is not such a document gives an Error that says where and why.
#pragma once

#include "vigil/base/result.h"
#include "vigil/tools/evidence/evidence.h"
#include "vigil/tools/evidence/input.h"

namespace vigil::tools::evidence {

// The report of `vigil race run --json`, or one input of `vigil triage` as JSON.
Result<void> read_vigil_json(Input& input, Sink& sink);
// SARIF 2.1.0 of any tool.
Result<void> read_sarif(Input& input, Sink& sink);
// Helgrind and drd with --xml=yes; streams.
Result<void> read_valgrind_xml(Input& input, Sink& sink);

}  // namespace vigil::tools::evidence
