// SPDX-License-Identifier: Apache-2.0
//
// JSON of the race tool's report: what `vigil race run --json FILE` writes and `vigil triage` and
// `vigil gate` read back. A field that holds nothing is left out; reading puts it back as nothing,
// and ignores fields it does not know. Reading what was written gives an equal value.
//
// Thread safety: pure functions. Errors: a text that is not such a report gives ParseError, which
// says where and why; nesting and sizes are bounded by the text's length.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "vigil/report/report.h"

namespace vigil::report {

struct ParseError {
  std::string message;
};

std::string to_json(const RunReport& report);
std::variant<RunReport, ParseError> run_report_from_json(std::string_view text);

}  // namespace vigil::report
