// SPDX-License-Identifier: Apache-2.0
//
// `vigil race minimize`: the decisions of a schedule that showed a finding, reduced to those
// without which it is not shown.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vigil/tools/command.h"
#include "vigil/tools/output_file.h"
#include "vigil/tools/race/campaign.h"
#include "vigil/tools/race/delta_debugging.h"
#include "vigil/tools/race/expectation.h"
#include "vigil/tools/race/race_command.h"
#include "vigil/tools/race/recipe.h"
#include "vigil/tools/race/replay_file.h"
#include "vigil/tools/race/shell_words.h"
#include "vigil/tools/race/text_report.h"
#include "vigil/tools/terminal.h"

namespace vigil::tools::race {
namespace {

constexpr const char* kHead =
    R"(Usage: vigil race minimize [OPTIONS] --seed N -- PROGRAM [ARGUMENTS]
       vigil race minimize [OPTIONS] FILE -- PROGRAM [ARGUMENTS]

Looks for the shortest schedule that still shows the finding of this one: the fewest decisions
against the plain policy that each thread runs as long as it can. Prints it as a recipe in the
source's own lines and writes it to a replay file.

Options:
)";
constexpr const char* kTail = R"(
Examples:
  vigil race minimize --seed 7 -- ./service
  vigil race replay service.replay -- ./service

Exit codes: 0 minimized, 2 usage, 3 internal or not reproducible.
)";

constexpr int kTestsMax = 20'000;
constexpr int kVerifications = 10;
constexpr std::size_t kShiftedMax = 8;  // decisions of which each is tried elsewhere
constexpr std::uint32_t kShiftMax = 8;  // points to either side

using Decisions = std::vector<report::DecisionRecord>;
using DecisionKind = RecipeDecision::Kind;

// In the words of vigil/race/sched/decision_text.h.
std::string decision_lines(const Decisions& decisions) {
  std::string text;
  for (const report::DecisionRecord& decision : decisions) {
    const std::string from =
        " " + std::to_string(decision.from) + " " + std::to_string(decision.step);
    switch (static_cast<DecisionKind>(decision.kind)) {
      case DecisionKind::kRun:
        text += "run" + from + " " + std::to_string(decision.thread);
        break;
      case DecisionKind::kClock:
        text += "clock" + from;
        break;
      case DecisionKind::kChoice:
        text += "choice" + from + " " + std::to_string(decision.thread);
        break;
    }
    text += "\n";
  }
  return text;
}

class Minimizer {
 public:
  Minimizer(const RaceOptions& options, Expectation expectation)
      : options_(options), expectation_(std::move(expectation)), campaign_(options, nullptr) {}

  // The whole work; the result is the replay file.
  Result<ReplayFile> minimize() {
    const Result<Decisions> recorded = record();
    if (!recorded) return recorded.error();
    Decisions decisions = up_to_finding(*recorded);
    if (!shows(decisions)) decisions = *recorded;
    if (!shows(decisions)) {
      if (error_) return *error_;
      return Error{
          "the finding does not come again when the decisions of its schedule are "
          "repeated: the program depends on something besides the schedule"};
    }
    recorded_ = recorded->size();
    decisions =
        smallest_part(std::move(decisions), [this](const Decisions& part) { return shows(part); });
    while (decisions.size() > 1 && decisions.size() <= kShiftedMax) {
      Decisions fewer = one_fewer(decisions);
      if (fewer.empty()) break;
      decisions = std::move(fewer);
    }
    clear_progress();
    return describe(decisions);
  }

  const report::Finding& finding() const { return finding_; }
  const std::vector<std::string>& steps() const { return steps_; }
  std::size_t recorded() const { return recorded_; }
  std::size_t kept() const { return kept_; }
  std::uint64_t preemptions() const { return preemptions_; }
  int tests() const { return tests_; }

 private:
  Launch launch() const { return expectation_.launch(options_); }

  const report::Finding* wanted_among(const std::vector<report::Finding>& findings) const {
    const auto found =
        std::find_if(findings.begin(), findings.end(),
                     [&](const report::Finding& each) { return finding_key(each) == key_; });
    return found == findings.end() ? nullptr : &*found;
  }

  // Runs the schedule as it was found; its decisions, and which finding it is about.
  Result<Decisions> record() {
    Launch whole = launch();
    whole.record_events = true;
    const Result<ScheduleResult> result = campaign_.run_one(whole);
    if (!result) return result.error();
    if (result->findings.empty())
      return Error{"this schedule shows no finding, there is nothing to minimize"};
    key_ =
        expectation_.finding.empty() ? finding_key(result->findings.front()) : expectation_.finding;
    const report::Finding* const wanted = wanted_among(result->findings);
    if (wanted == nullptr)
      return Error{"this schedule does not show the " + expectation_.headline + " any more"};
    finding_ = *wanted;
    return result->recording.processes.front().decisions;
  }

  // What came after the finding did not make it.
  Decisions up_to_finding(const Decisions& decisions) const {
    Decisions before;
    for (const report::DecisionRecord& decision : decisions) {
      if (decision.scheduling_point <= finding_.scheduling_point) before.push_back(decision);
    }
    return before;
  }

  bool shows(const Decisions& decisions) {
    if (++tests_ > kTestsMax) return false;
    show_progress(decisions.size());
    Launch part = launch();
    part.decisions = decision_lines(decisions);
    const Result<ScheduleResult> result = campaign_.run_one(part);
    if (!result) error_ = result.error();
    return result && wanted_among(result->findings) != nullptr;
  }

  // A preemption a few points earlier or later often makes another one superfluous: one of the
  // decisions left out, another one moved. Empty if none of these shows the finding.
  Decisions one_fewer(const Decisions& decisions) {
    for (std::size_t left_out = 0; left_out < decisions.size(); ++left_out) {
      Decisions part = decisions;
      part.erase(part.begin() + static_cast<std::ptrdiff_t>(left_out));
      for (report::DecisionRecord& moved : part) {
        const std::uint32_t step = moved.step;
        const std::uint32_t last = step + kShiftMax;
        for (moved.step = step - std::min(step, kShiftMax); moved.step <= last; ++moved.step) {
          if (moved.step != step && shows(part)) return part;
        }
        moved.step = step;
      }
    }
    return {};
  }

  Result<ReplayFile> describe(const Decisions& decisions) {
    Launch shortest = launch();
    shortest.decisions = decision_lines(decisions);
    shortest.record_events = true;
    const Result<ScheduleResult> result = campaign_.run_one(shortest);
    if (!result) return result.error();
    for (int i = 0; i < kVerifications; ++i) {
      if (!shows(decisions)) return Error{"the shortest schedule does not show the finding always"};
    }
    clear_progress();
    const report::Finding* const wanted = wanted_among(result->findings);
    if (wanted == nullptr) return Error{"the shortest schedule does not show the finding always"};
    finding_ = *wanted;
    kept_ = decisions.size();
    const RecordedProcess& process = result->recording.processes.front();
    if (process.summary) preemptions_ = process.summary->preemptions;
    steps_ = recipe_steps(named(process), finding_);
    ReplayFile replay;
    for (const std::string& step : steps_)
      replay.recipe += (replay.recipe.empty() ? "" : "; ") + step;
    replay.seed = options_.seed;
    replay.strategy = options_.strategy;
    replay.depth = options_.depth;
    replay.points = options_.points;
    replay.time = options_.time;
    replay.schedule_hash = result->schedule_hash;
    replay.finding = key_;
    replay.conflicts = options_.conflicts;
    replay.decisions = shortest.decisions;
    return replay;
  }

  std::vector<RecipeDecision> named(const RecordedProcess& process) {
    std::vector<RecipeDecision> result;
    for (const report::DecisionRecord& decision : process.decisions) {
      if (decision.scheduling_point > finding_.scheduling_point) break;
      result.push_back({static_cast<DecisionKind>(decision.kind), decision.from,
                        campaign_.namer().stack(process, decision.stack), decision.thread});
    }
    return result;
  }

  void show_progress(std::size_t decisions) {
    if (!has_cursor(STDERR_FILENO)) return;
    progress_shown_ = true;
    std::fprintf(stderr, "\r\033[K%d schedules tried, now with %zu decisions", tests_, decisions);
  }
  void clear_progress() {
    if (std::exchange(progress_shown_, false)) std::fputs("\r\033[K", stderr);
  }

  const RaceOptions& options_;
  Expectation expectation_;
  Campaign campaign_;
  std::string key_;
  report::Finding finding_;
  std::vector<std::string> steps_;
  std::size_t recorded_ = 0;
  std::size_t kept_ = 0;
  std::uint64_t preemptions_ = 0;
  int tests_ = 0;
  std::optional<Error> error_;  // of the last schedule that could not be run at all
  bool progress_shown_ = false;
};

int fail(const Error& error, int code) {
  complain("vigil race minimize", error);
  return code;
}

void print_result(const Minimizer& minimizer, const std::string& path, const RaceOptions& options) {
  std::printf("%s\n", text_report(minimizer.finding(), style_for(STDOUT_FILENO)).c_str());
  std::printf("vigil: %zu of %zu decisions are left (%llu preemption%s, %d schedules tried):\n",
              minimizer.kept(), minimizer.recorded(),
              static_cast<unsigned long long>(minimizer.preemptions()),
              minimizer.preemptions() == 1 ? "" : "s", minimizer.tests());
  for (std::size_t i = 0; i < minimizer.steps().size(); ++i)
    std::printf("  %zu. %s\n", i + 1, output_line(minimizer.steps()[i]).c_str());
  std::vector<std::string> words = {"vigil", "race", "replay", path, "--"};
  words.insert(words.end(), options.program.begin(), options.program.end());
  std::printf("Written to %s. To see it again:\n  %s\n", output_line(path).c_str(),
              output_line(shell_command(words)).c_str());
}

}  // namespace

int run_minimize(std::span<const char* const> arguments) {
  Result<RaceOptions> options = parse_race_options(Subcommand::kMinimize, arguments);
  if (!options) {
    complain("vigil race minimize", options.error());
    std::fputs("`vigil race minimize --help` lists the options.\n", stderr);
    return kUsage;
  }
  if (options->help) {
    std::printf("%s%s%s", kHead, race_options_help(Subcommand::kMinimize).c_str(), kTail);
    return kClean;
  }
  Result<Expectation> expectation = read_expectation(&*options);
  if (!expectation) return fail(expectation.error(), kUsage);
  if (!options->controlled())
    return fail(Error{"a finding of free mode has no schedule to minimize"}, kUsage);
  Minimizer minimizer(*options, *std::move(expectation));
  const Result<ReplayFile> replay = minimizer.minimize();
  if (!replay) return fail(replay.error(), kInternal);
  const std::string path =
      options->output.empty()
          ? std::filesystem::path(options->program.front()).filename().string() + ".replay"
          : options->output;
  if (Result<void> written = write_output(path, to_text(*replay)); !written)
    return fail(written.error(), kUsage);
  print_result(minimizer, path, *options);
  return kClean;
}

}  // namespace vigil::tools::race
