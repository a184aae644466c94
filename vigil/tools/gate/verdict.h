// SPDX-License-Identifier: Apache-2.0
//
// Verdict: what the gate decides about one stage, and everything an output needs to say why.
//
// Thread safety: plain values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/tools/gate/baseline.h"
#include "vigil/tools/gate/intake.h"
#include "vigil/tools/gate/issue.h"
#include "vigil/tools/gate/policy.h"
#include "vigil/tools/gate/suppression.h"

namespace vigil::tools::gate {

enum class Outcome : std::uint8_t {
  kPassed,
  kBlocked,  // the change may not pass; the next stage may run if next_stage_may_run
};

struct Verdict {
  StagePolicy stage;
  Outcome outcome = Outcome::kPassed;
  // False after a write-write conflict, and after a run that failed or proves nothing.
  bool next_stage_may_run = true;
  // Something was not read to its end or not understood: nothing is known about the rest of it.
  bool has_damaged_input = false;
  std::vector<std::string> reasons;  // why it blocks; empty if it does not
  std::vector<std::string> notes;    // what somebody should look at
  std::vector<Issue> issues;         // blocking ones first, then as they came
  std::vector<Input> inputs;
  std::optional<CommandOutcome> command;
  std::uint64_t event_chains = 0;  // distinct, new, from race detectors
  std::string run_id;              // makes the SARIF category of this run unique
};

// What is judged, and by what.
struct Case {
  StagePolicy stage;
  bool stop_at_write_write = true;
  bool trust_log = false;
  std::vector<Issue> issues;  // statuses are set
  std::vector<Input> inputs;
  std::optional<CommandOutcome> command;
};

Verdict judge(Case judged);

// Notes about suppressions that expired or fit nothing, and about baseline entries not met.
std::vector<std::string> notes_about(const Suppressions& suppressions,
                                     std::chrono::year_month_day today);
std::vector<std::string> notes_about(const Baseline& baseline, const std::vector<Issue>& issues);

// Tests that ran, over all inputs; nullopt: no known runner spoke.
std::optional<std::uint64_t> tests_run(const Verdict& verdict);

std::uint64_t count_of(const Verdict& verdict, Issue::Status status);

std::string_view to_string(Outcome outcome);

}  // namespace vigil::tools::gate
