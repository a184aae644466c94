// SPDX-License-Identifier: Apache-2.0
//
// JSON of the race tool's report: what `vigil race run --json FILE` writes and `vigil triage` and
// `vigil gate` read back:
//
//   {"findings":[{"kind":"race","seed":7,"strategy":"pct","accesses":[{"thread":2,
//      "operation":"write","size":8,"address":1234,"stack":[{"function":"f","file":"a.cc",
//      "line":3,"module":"a.out","inlined":false}],"locks":[]}],"location":{"kind":"global"},
//      "replay":"..."}],
//    "schedules":12,"scheduling_points":3456,"virtual_seconds":3600}
//
// The fields above are always written, every other one only if it holds something; reading puts
// back what is missing as nothing and ignores fields it does not know. Reading what was written
// gives an equal value; only bytes that are not UTF-8 come back as U+FFFD, and a number of seconds
// that is not finite as 0.
//
// Thread safety: pure functions. Errors: a text that is not such a report gives ParseError, which
// says where and why. Complexity: linear; memory is bounded by the text's length.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "vigil/report/report.h"

namespace vigil::report {

struct [[nodiscard]] ParseError {
  std::string message;
};

std::string to_json(const RunReport& report);
[[nodiscard]] std::variant<RunReport, ParseError> run_report_from_json(std::string_view text);

// One input of `vigil triage` with everything that its reader found, in the same manner.
std::string to_json(const Evidence& evidence);
[[nodiscard]] std::variant<Evidence, ParseError> evidence_from_json(std::string_view text);

}  // namespace vigil::report
