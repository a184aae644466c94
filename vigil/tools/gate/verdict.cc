// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/verdict.h"

#include <algorithm>
#include <utility>

#include "vigil/text/wildcard.h"

namespace vigil::tools::gate {
namespace {

constexpr std::size_t kNotMetShown = 5;

std::string plural(std::uint64_t count, std::string_view noun) {
  return std::to_string(count).append(" ").append(noun).append(count == 1 ? "" : "s");
}

// A thread that was never joined is untidy, no conflict.
bool is_event_chain(const Issue& issue) {
  return issue.status == Issue::Status::kNew && !issue.from_scanner && issue.rule != "leak";
}

bool is_high_risk(const Issue& issue, const StagePolicy& stage) {
  if (issue.status != Issue::Status::kNew || !issue.from_scanner) return false;
  const auto& levels = stage.scan_levels_to_block;
  const auto& rules = stage.scan_rules_to_block;
  return std::find(levels.begin(), levels.end(), issue.level) != levels.end() ||
         std::any_of(rules.begin(), rules.end(), [&](const std::string& rule) {
           return text::wildcard_match(rule, issue.rule);
         });
}

class Judge {
 public:
  explicit Judge(Case judged) : case_(std::move(judged)) {}

  Verdict decide() {
    judge_conflicts();
    judge_write_write();
    judge_scan();
    const std::size_t reasons_by_issues = reasons_.size();
    for (const Input& input : case_.inputs) judge_input(input);
    if (case_.command) judge_command(*case_.command);
    const bool run_is_good = reasons_.size() == reasons_by_issues;
    Verdict verdict;
    verdict.outcome = reasons_.empty() ? Outcome::kPassed : Outcome::kBlocked;
    verdict.next_stage_may_run = run_is_good && !stops_;
    verdict.stage = std::move(case_.stage);
    verdict.has_damaged_input = has_damaged_input_;
    verdict.reasons = std::move(reasons_);
    verdict.notes = std::move(notes_);
    verdict.issues = std::move(case_.issues);
    verdict.inputs = std::move(case_.inputs);
    verdict.command = std::move(case_.command);
    verdict.event_chains = chains_;
    std::stable_partition(verdict.issues.begin(), verdict.issues.end(),
                          [](const Issue& issue) { return issue.blocks; });
    return verdict;
  }

 private:
  void judge_conflicts() {
    chains_ = static_cast<std::uint64_t>(
        std::count_if(case_.issues.begin(), case_.issues.end(), is_event_chain));
    const std::uint64_t limit = case_.stage.event_chains_to_block;
    if (chains_ == 0) return;
    const std::string found = plural(chains_, "distinct event chain");
    if (limit == 0 || chains_ < limit) {
      notes_.push_back(found + (limit == 0 ? "; none blocks this stage"
                                           : "; " + std::to_string(limit) + " block this stage"));
      return;
    }
    reasons_.push_back(limit == 1
                           ? found + "; any one blocks this stage"
                           : found + "; " + std::to_string(limit) + " or more block this stage");
    for (Issue& issue : case_.issues) issue.blocks = issue.blocks || is_event_chain(issue);
  }

  void judge_write_write() {
    if (!case_.stop_at_write_write) return;
    for (Issue& issue : case_.issues) {
      if (!is_event_chain(issue) || !issue.write_write) continue;
      issue.blocks = true;
      if (!stops_) reasons_.push_back("a write-write conflict stops the pipeline: " + issue.title);
      stops_ = true;
    }
  }

  void judge_scan() {
    std::uint64_t high_risk = 0;
    for (Issue& issue : case_.issues) {
      if (!is_high_risk(issue, case_.stage)) continue;
      issue.blocks = true;
      ++high_risk;
    }
    if (high_risk != 0) reasons_.push_back(plural(high_risk, "high-risk static pattern"));
  }

  void judge_input(const Input& input) {
    has_damaged_input_ = has_damaged_input_ || !input.damage.empty();
    for (const std::string& damage : input.damage) reasons_.push_back(damage);
    if (input.proofs.empty() && input.damage.empty()) {
      const std::string text = input.name + ": nothing in it proves that " +
                               (input.is_scan ? "the scanner" : "a race detector") + " ran";
      if (case_.trust_log) {
        notes_.push_back(text + "; trusted as told (--trust-log)");
      } else {
        reasons_.push_back(text + how_to_prove(input));
      }
    }
    if (input.tests_run == std::uint64_t{0}) reasons_.push_back(input.name + ": no test ran");
    if (input.is_cut_short) reasons_.push_back(input.name + ": ends in the middle of a report");
    for (const std::string& failure : input.failures) {
      reasons_.push_back(input.name + ": " + failure);
    }
    for (const std::string& note : input.notes) notes_.push_back(input.name + ": " + note);
  }

  [[nodiscard]] std::string how_to_prove(const Input& input) const {
    if (input.is_scan) return "; its SARIF has neither results nor a successful invocation";
    const bool is_command = case_.command && &input == &case_.inputs.front();
    return is_command ? "; use `go test -race`, a program compiled with -fsanitize=thread, or "
                        "TSAN_OPTIONS=verbosity=1, which makes ThreadSanitizer say that it runs"
                      : "; let the gate run the tests (vigil gate --stage S -- COMMAND), or set "
                        "TSAN_OPTIONS=verbosity=1, or pass --trust-log";
  }

  void judge_command(const CommandOutcome& command) {
    const int code = command.result.exit_code;
    if (code == 0) return;
    const bool has_races = chains_ != 0 || !case_.issues.empty();
    const std::string how = command.result.signal != 0
                                ? "was ended by signal " + std::to_string(command.result.signal)
                                : "failed with exit code " + std::to_string(code);
    if (command.is_explained_by_races && has_races) {
      notes_.push_back("the command " + how + ", which its races explain");
      return;
    }
    std::string reason = "the command " + how;
    if (!has_races) reason += " without a race";
    if (!has_races && code == 66) {
      reason +=
          "; 66 is ThreadSanitizer's code, so its report was lost on the way or it could not start";
    }
    for (const std::string& failure : command.failures) reason += "; " + failure;
    reasons_.push_back(std::move(reason));
  }

  Case case_;
  std::uint64_t chains_ = 0;
  bool stops_ = false;
  bool has_damaged_input_ = false;
  std::vector<std::string> reasons_;
  std::vector<std::string> notes_;
};

}  // namespace

Verdict judge(Case judged) { return Judge(std::move(judged)).decide(); }

std::vector<std::string> notes_about(const Suppressions& suppressions,
                                     std::chrono::year_month_day today) {
  std::vector<std::string> notes;
  for (const Suppression& suppression : suppressions.all()) {
    std::string state;
    if (suppression.is_expired(today)) {
      state = "expired on " + to_text(suppression.expires) +
              (suppression.uses == 0 ? " and matches nothing: remove it"
                                     : ": what it hid counts again");
    } else if (suppression.uses == 0) {
      state = "matches nothing: remove it";
    }
    if (state.empty()) continue;
    notes.push_back(suppression.origin + ": the suppression of " + suppression.owner + " " + state);
  }
  return notes;
}

std::vector<std::string> notes_about(const Baseline& baseline, const std::vector<Issue>& issues) {
  const std::vector<Baseline::Entry> gone = baseline.not_met(issues);
  std::vector<std::string> notes;
  for (std::size_t i = 0; i < gone.size() && i < kNotMetShown; ++i) {
    notes.push_back("in the baseline since " + gone[i].since +
                    ", not met in this run: " + gone[i].title);
  }
  if (gone.size() > kNotMetShown) {
    notes.push_back("and " + std::to_string(gone.size() - kNotMetShown) +
                    " more of the baseline not met");
  }
  return notes;
}

std::optional<std::uint64_t> tests_run(const Verdict& verdict) {
  std::optional<std::uint64_t> sum;
  for (const Input& input : verdict.inputs) {
    if (input.tests_run) sum = sum.value_or(0) + *input.tests_run;
  }
  return sum;
}

std::uint64_t count_of(const Verdict& verdict, Issue::Status status) {
  return static_cast<std::uint64_t>(
      std::count_if(verdict.issues.begin(), verdict.issues.end(),
                    [status](const Issue& issue) { return issue.status == status; }));
}

std::string_view to_string(Outcome outcome) {
  return outcome == Outcome::kPassed ? "passed" : "blocked";
}

}  // namespace vigil::tools::gate
