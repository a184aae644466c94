// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/campaign.h"

#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstring>
#include <deque>
#include <utility>

#include "vigil/tools/race/shell_words.h"

namespace vigil::tools::race {
namespace {

constexpr double kNanosecondsPerSecond = 1e9;
// What the runtime exits with if it does not understand its options.
constexpr int kRefused = 2;

// An error is one line.
std::string on_one_line(std::string_view output) {
  while (output.ends_with('\n')) output.remove_suffix(1);
  std::string text(output);
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 3) {
    text.replace(at, 1, " | ");
  }
  return text;
}

// Why a program that was built for the runtime may not have got as far as its first record.
std::string limit_on_memory() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return {};
  return "the address space is limited to " + std::to_string(limit.rlim_cur >> 20) +
         " MiB (ulimit -v), and the race runtime reserves more than that for its shadow memory: "
         "run "
         "it without this limit, or limit the memory of a control group instead";
}

Error without_record(const RaceOptions& options, const ScheduleOutcome& outcome) {
  std::string message = options.program.front() + " wrote no record: ";
  const std::string limited = limit_on_memory();
  message +=
      !limited.empty()
          ? limited
          : "it was not built for the race runtime. Compile and link it with `vigil race cc` "
            "or `vigil race cxx`, or link vigil::race in CMake";
  if (outcome.signal != 0) {
    message += " (it was ended by signal " + std::to_string(outcome.signal) + ")";
  } else if (outcome.exit_status != 0) {
    message += " (it exited with " + std::to_string(outcome.exit_status) + ")";
  }
  if (!outcome.output.empty()) message += ". It printed: " + on_one_line(outcome.output);
  return Error{message};
}

report::Finding end_finding(report::Kind kind, std::string message) {
  report::Finding finding;
  finding.kind = kind;
  finding.message = std::move(message);
  return finding;
}

}  // namespace

std::string replay_command(const RaceOptions& options, const ScheduleOutcome& outcome) {
  const RaceOptions defaults;
  std::vector<std::string> words = {"vigil", "race", "replay", "--seed",
                                    std::to_string(outcome.seed)};
  const auto add = [&](const char* name, const std::string& value, const std::string& usual) {
    if (value == usual) return;
    words.emplace_back(name);
    words.push_back(value);
  };
  add("--mode", options.mode, defaults.mode);
  add("--strategy", options.strategy, defaults.strategy);
  add("--depth", std::to_string(options.depth), std::to_string(defaults.depth));
  add("--points", options.points, defaults.points);
  add("--conflicts", outcome.conflicts, "");
  add("--time", options.time, defaults.time);
  add("--max-points", std::to_string(options.max_points), std::to_string(defaults.max_points));
  if (options.lock_order) words.emplace_back("--lock-order");
  words.emplace_back("--");
  words.insert(words.end(), options.program.begin(), options.program.end());
  return shell_command(words);
}

Campaign::Campaign(const RaceOptions& options, Suppressions* suppressions)
    : options_(options), suppressions_(suppressions) {
  const std::string& given = options.conflicts;
  for (const char* at = given.data(); at < given.data() + given.size(); ++at) {
    std::uint64_t place = 0;
    at = std::from_chars(at, given.data() + given.size(), place).ptr;
    if (place != 0) conflicts_.insert(place);
  }
}

std::string Campaign::conflicts() const {
  std::string text;
  if (options_.points != "conflicts") return text;
  for (const std::uint64_t place : conflicts_)
    text += (text.empty() ? "" : ",") + std::to_string(place);
  return text;
}

Result<void> Campaign::run(const Observer& observer, const volatile bool* stop) {
  std::deque<ScheduleProcess> running;
  std::uint64_t started = 0;
  bool enough = false;
  while (!enough && (started < options_.schedules || !running.empty())) {
    while (running.size() < options_.jobs && started < options_.schedules) {
      Launch launch;
      launch.options = &options_;
      launch.seed = options_.seed + started;
      launch.record_events = !options_.events.empty();
      launch.pass_output = options_.schedules == 1;
      launch.slot = static_cast<unsigned>(started % options_.jobs);
      launch.conflicts = conflicts();
      Result<ScheduleProcess> process = ScheduleProcess::start(launch);
      if (!process) return process.error();
      running.push_back(*std::move(process));
      ++started;
    }
    const Result<ScheduleResult> result = examine(running.front().wait(), options_.schedules != 1);
    running.pop_front();
    if (!result) return result.error();
    observer(*result, add(result->findings));
    enough = *stop || (!options_.keep_going && !table_.empty());
  }
  return {};
}

std::vector<report::Finding> Campaign::add(const std::vector<report::Finding>& findings) {
  std::vector<report::Finding> news;
  for (const report::Finding& finding : findings) {
    if (table_.add(finding)) news.push_back(finding);
  }
  return news;
}

Result<ScheduleResult> Campaign::run_one(const Launch& launch) {
  Result<ScheduleProcess> process = ScheduleProcess::start(launch);
  if (!process) return process.error();
  return examine(process->wait(), !launch.pass_output);
}

Result<ScheduleResult> Campaign::examine(ScheduleOutcome outcome, bool has_output) {
  ScheduleResult result;
  result.recording = read_records(outcome.records);
  result.outcome = std::move(outcome);
  if (!result.recording.started()) {
    const bool refused = has_output && result.outcome.exit_status == kRefused &&
                         result.outcome.output.starts_with("vigil race: ");
    if (refused) return Error{on_one_line(result.outcome.output)};
    return without_record(options_, result.outcome);
  }
  use_suppressions_of(result);
  name_findings(&result);
  add_end_of_process(&result);
  count(result);
  return result;
}

// Those that the program brings itself, the same in each schedule.
void Campaign::use_suppressions_of(const ScheduleResult& result) {
  if (suppressions_ == nullptr) return;
  for (const RecordedProcess& process : result.recording.processes) {
    for (const std::string& text : process.suppressions) {
      if (!own_suppressions_.insert(text).second) continue;
      if (Result<void> added = suppressions_->add(text, "the program"); !added) {
        totals_.notes.insert(added.error().message);
      }
    }
  }
}

void Campaign::name_findings(ScheduleResult* result) {
  for (const RecordedProcess& process : result->recording.processes) {
    const std::string strategy = options_.controlled() ? text_of(process.start.strategy) : "";
    for (const RecordedFinding& recorded : process.findings) {
      report::Finding finding = namer_.name(process, recorded);
      finding.seed = result->outcome.seed;
      finding.strategy = strategy;
      finding.replay = replay_command(options_, result->outcome);
      learn_conflicts(process, recorded);
      if (suppressions_ == nullptr || !suppressions_->suppress(finding))
        result->findings.push_back(std::move(finding));
    }
    if (process.summary) result->schedule_hash ^= process.summary->schedule_hash;
  }
}

// What only this side saw: the time limit, and a signal that the runtime could not report.
void Campaign::add_end_of_process(ScheduleResult* result) {
  const ScheduleOutcome& outcome = result->outcome;
  report::Finding finding;
  if (outcome.timed_out) {
    finding = end_finding(report::Kind::kOther, "the schedule did not end within " +
                                                    std::to_string(options_.timeout_s) +
                                                    " s and was killed (--timeout-s)");
  } else if (outcome.signal != 0 && !result->recording.has_findings()) {
    const char* const description = strsignal(outcome.signal);
    finding = end_finding(report::Kind::kCrash,
                          "the program was ended by signal " + std::to_string(outcome.signal) +
                              " (" + (description == nullptr ? "" : description) + ")");
  } else {
    return;
  }
  finding.seed = outcome.seed;
  finding.strategy = options_.controlled() ? options_.strategy : "";
  finding.replay = replay_command(options_, outcome);
  if (suppressions_ == nullptr || !suppressions_->suppress(finding))
    result->findings.push_back(std::move(finding));
}

void Campaign::learn_conflicts(const RecordedProcess& process, const RecordedFinding& finding) {
  if (finding.finding.kind != static_cast<std::uint8_t>(report::Kind::kRace)) return;
  for (const report::AccessRecord& access : finding.accesses) {
    const ReturnAddresses& stack = process.stack(access.stack);
    if (!stack.empty()) conflicts_.insert(stack.front());
  }
}

void Campaign::count(const ScheduleResult& result) {
  ++totals_.schedules;
  for (const RecordedProcess& process : result.recording.processes) {
    totals_.notes.insert(process.notes.begin(), process.notes.end());
    if (!process.summary) continue;
    totals_.scheduling_points += process.summary->scheduling_points;
    totals_.virtual_seconds +=
        static_cast<double>(process.summary->virtual_ns) / kNanosecondsPerSecond;
  }
  const ScheduleOutcome& outcome = result.outcome;
  const bool odd_exit = outcome.signal == 0 && outcome.exit_status != 0;
  if (!odd_exit || result.recording.has_findings()) return;
  CampaignTotals::Exits& exits = totals_.exits[outcome.exit_status];
  if (exits.count++ == 0) exits.first_seed = outcome.seed;
}

}  // namespace vigil::tools::race
