// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/expectation.h"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "vigil/base/files.h"
#include "vigil/report/report_json.h"
#include "vigil/tools/race/finding_table.h"
#include "vigil/tools/race/replay_file.h"
#include "vigil/tools/race/shell_words.h"
#include "vigil/tools/race/text_report.h"

namespace vigil::tools::race {
namespace {

// The options in a finding's own command "vigil race replay OPTIONS -- PROGRAM".
Result<void> apply_command(const std::string& command, RaceOptions* options) {
  const std::vector<std::string> words = split_words(command, Quoting::kShell);
  constexpr std::size_t kBefore = 3;
  std::vector<const char*> arguments;
  for (std::size_t i = kBefore; i < words.size(); ++i) arguments.push_back(words[i].c_str());
  const Result<RaceOptions> parsed = parse_race_options(Subcommand::kReplay, arguments);
  if (!parsed) return parsed.error();
  options->mode = parsed->mode;
  options->seed = parsed->seed;
  options->strategy = parsed->strategy;
  options->depth = parsed->depth;
  options->points = parsed->points;
  options->conflicts = parsed->conflicts;
  options->time = parsed->time;
  options->max_points = parsed->max_points;
  return {};
}

Result<Expectation> from_replay_file(std::string_view text, RaceOptions* options) {
  Result<ReplayFile> replay = parse_replay_file(text, options->file);
  if (!replay) return replay.error();
  replay->apply_to(options);
  Expectation expectation;
  expectation.decisions = replay->decisions;
  expectation.recipe = replay->recipe;
  expectation.finding = replay->finding;
  expectation.headline = replay->finding.substr(0, replay->finding.find('|'));
  expectation.schedule_hash = replay->schedule_hash;
  return expectation;
}

Result<Expectation> from_report(std::string_view text, RaceOptions* options) {
  const auto read = report::run_report_from_json(text);
  if (const auto* error = std::get_if<report::ParseError>(&read))
    return Error{options->file + " is neither a replay file nor a report: " + error->message};
  const auto& report = std::get<report::RunReport>(read);
  if (report.findings.empty()) return Error{options->file + " holds no finding to replay"};
  const report::Finding& finding = report.findings.front();
  if (Result<void> applied = apply_command(finding.replay, options); !applied)
    return applied.error().while_doing("reading the replay command in " + options->file);
  Expectation expectation;
  expectation.finding = finding_key(finding);
  expectation.headline = headline(finding);
  expectation.scheduling_point = finding.scheduling_point;
  return expectation;
}

}  // namespace

Launch Expectation::launch(const RaceOptions& options) const {
  Launch launch;
  launch.options = &options;
  launch.seed = options.seed;
  launch.decisions = decisions;
  if (options.points == "conflicts") launch.conflicts = options.conflicts;
  return launch;
}

std::string Expectation::divergence(const ScheduleResult& result) const {
  if (schedule_hash != 0 && result.schedule_hash != schedule_hash)
    return "the schedule is another one: the program, its input or its environment has changed";
  if (finding.empty()) return "";
  const auto shown =
      std::find_if(result.findings.begin(), result.findings.end(),
                   [&](const report::Finding& each) { return finding_key(each) == finding; });
  if (shown == result.findings.end()) return "the " + headline + " is not shown again";
  if (scheduling_point != 0 && shown->scheduling_point != scheduling_point) {
    return "the " + headline + " came at scheduling point " +
           std::to_string(shown->scheduling_point) + " instead of " +
           std::to_string(scheduling_point);
  }
  return "";
}

Result<Expectation> read_expectation(RaceOptions* options) {
  if (options->file.empty()) return Expectation{};
  const Result<std::string> text = read_file(options->file, kConfigurationBytesMax);
  if (!text) return text.error();
  return is_replay_file(*text) ? from_replay_file(*text, options) : from_report(*text, options);
}

}  // namespace vigil::tools::race
