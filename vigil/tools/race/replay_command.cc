// SPDX-License-Identifier: Apache-2.0
//
// `vigil race replay`.
#include <cstdio>
#include <string>

#include "vigil/tools/command.h"
#include "vigil/tools/race/campaign.h"
#include "vigil/tools/race/expectation.h"
#include "vigil/tools/race/race_command.h"
#include "vigil/tools/race/run_output.h"
#include "vigil/tools/terminal.h"

namespace vigil::tools::race {
namespace {

constexpr const char* kHead =
    R"(Usage: vigil race replay [OPTIONS] --seed N -- PROGRAM [ARGUMENTS]
       vigil race replay [OPTIONS] FILE -- PROGRAM [ARGUMENTS]

Runs the one schedule that showed a finding, with the terminal for the program. FILE is a replay
file of `vigil race minimize` or a JSON report of `vigil race run`, of which the first finding is
taken. Says so when the program no longer does what it did.

Options:
)";
constexpr const char* kTail = R"(
Examples:
  vigil race replay --seed 7 -- ./service --port 0
  vigil race replay report.json -- ./service --port 0

Exit codes: 0 nothing found, 1 findings, 2 usage, 3 internal or diverged.
)";

int fail(const Error& error) {
  complain("vigil race replay", error);
  return kUsage;
}

}  // namespace

int run_replay(std::span<const char* const> arguments) {
  Result<RaceOptions> options = parse_race_options(Subcommand::kReplay, arguments);
  if (!options) {
    complain("vigil race replay", options.error());
    std::fputs("`vigil race replay --help` lists the options.\n", stderr);
    return kUsage;
  }
  if (options->help) {
    std::printf("%s%s%s", kHead, race_options_help(Subcommand::kReplay).c_str(), kTail);
    return kClean;
  }
  const Result<Expectation> expectation = read_expectation(&*options);
  if (!expectation) return fail(expectation.error());
  Suppressions suppressions;
  for (const std::string& path : options->suppressions) {
    if (Result<void> added = suppressions.add_file(path); !added) return fail(added.error());
  }
  options->schedules = 1;
  Campaign campaign(*options, &suppressions);
  RunOutput output(*options);
  Launch launch = expectation->launch(*options);
  launch.pass_output = true;
  launch.record_events = !options->events.empty();
  const Result<ScheduleResult> result = campaign.run_one(launch);
  if (!result) return fail(result.error());
  output.show(*result, campaign.add(result->findings), campaign.totals());
  output.close(campaign, &suppressions);
  if (Result<void> written = output.write_files(campaign); !written) return fail(written.error());
  if (const std::string divergence = expectation->divergence(*result); !divergence.empty()) {
    complain("vigil race replay", "DIVERGED: " + divergence);
    return kInternal;
  }
  return campaign.table().empty() ? kClean : kFindings;
}

}  // namespace vigil::tools::race
