// SPDX-License-Identifier: Apache-2.0
//
// The verdict in the forms that people and CI systems read. Each function has a file of its own.
// What logs and scanners said is data: it is escaped for each form, and broken UTF-8 is mended.
//
// Thread safety: pure functions. Complexity: linear in the verdict, outputs are bounded as stated.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "vigil/base/result.h"
#include "vigil/tools/gate/verdict.h"

namespace vigil::tools::gate {

// For the terminal and the CI log. The last line is "vigil gate: STAGE: passed|blocked ...".
struct TextOptions {
  bool colour = false;
};
std::string to_text(const Verdict& verdict, const TextOptions& options);

// {"vigil_gate":1,"stage":...,"outcome":"passed|blocked","next_stage_may_run":...,"reasons":[...],
//  "notes":[...],"event_chains":N,"tests_run":N,"command":{...},"inputs":[...],"issues":[...]}
std::string to_json(const Verdict& verdict);

// What `vigil gate next` and `vigil gate verdict` read back from to_json().
struct PastVerdict {
  std::string stage;
  bool passed = false;
  bool next_stage_may_run = false;

  friend bool operator==(const PastVerdict&, const PastVerdict&) = default;
};
Result<PastVerdict> past_verdict_from_json(std::string_view json, std::string_view name);

// SARIF 2.1.0 for code scanning: the first access is the location, the second a related location,
// both stacks are threadFlows of a codeFlow; known and suppressed issues carry suppressions. At
// most kSarifResultsMax results and kSarifBytesMax bytes, blocking issues first; what is left out
// is said in a notification of the run.
inline constexpr std::size_t kSarifResultsMax = 25'000;
inline constexpr std::size_t kSarifBytesMax = 10'000'000;
std::string to_sarif(const Verdict& verdict);

// JUnit XML: one test case per issue (failure or skipped), one for the run as a whole.
std::string to_junit(const Verdict& verdict);

// GitHub workflow commands: "::error file=...,line=...::text" for what blocks, "::warning" for what
// does not. At most kAnnotationsMax, which is what GitHub shows per step.
inline constexpr std::size_t kAnnotationsMax = 10;
std::string to_annotations(const Verdict& verdict);

// For GITHUB_STEP_SUMMARY or a comment; at most kMarkdownIssuesMax issues.
inline constexpr std::size_t kMarkdownIssuesMax = 100;
std::string to_markdown(const Verdict& verdict);

}  // namespace vigil::tools::gate
