// SPDX-License-Identifier: Apache-2.0
//
// The readers of formats that are not lines of a log.
//
// Thread safety: none. Errors: what is not such a document gives an Error that says where and why.
#pragma once

#include <string>

#include "vigil/base/result.h"
#include "vigil/tools/evidence/sink.h"
#include "vigil/tools/input/text_input.h"

namespace vigil::tools::evidence {

// The report of `vigil race run --json`, or one input of `vigil triage` as JSON.
Result<void> read_vigil_json(const std::string& text, Sink& sink);
// SARIF 2.1.0 of any tool.
Result<void> read_sarif(const std::string& text, Sink& sink);

// Helgrind and drd with --xml=yes; streams to the end of the document. False: the text is none, and
// `taken` is what was taken off it to see that. Damage goes to the sink.
[[nodiscard]] bool read_valgrind_xml(input::TextInput& text, std::string* taken, Sink& sink);

}  // namespace vigil::tools::evidence
