// SPDX-License-Identifier: Apache-2.0
//
// `vigil race run`.
#include <csignal>
#include <cstdio>
#include <string>

#include "vigil/tools/command.h"
#include "vigil/tools/race/campaign.h"
#include "vigil/tools/race/race_command.h"
#include "vigil/tools/race/run_output.h"
#include "vigil/tools/terminal.h"

namespace vigil::tools::race {
namespace {

constexpr const char* kHead =
    R"(Usage: vigil race run [OPTIONS] -- PROGRAM [ARGUMENTS]

Runs a program that was built with `vigil race cc` or `cxx` once for each of many schedules, each in
a process of its own, and reports data races, deadlocks, lost wake-ups, livelocks, uses after free
and crashes. Stops at the first schedule with a finding.

Options:
)";
constexpr const char* kTail = R"(
With one schedule the program has the terminal; with more its input is empty, and what it printed is
shown with a finding only.

Examples:
  vigil race run -- ./service --port 0
  vigil race run --schedules 1000 --jobs 4 --json report.json -- ./unit_tests
  vigil race run --mode free -- ./service

Exit codes: 0 nothing found, 1 findings, 2 usage, 3 internal.
)";

// Set by Ctrl-C: the current schedule is the last one.
volatile bool interrupted = false;

void interrupt(int) {
  interrupted = true;
  std::signal(SIGINT, SIG_DFL);  // a second one ends at once
}

int fail(const Error& error) {
  complain("vigil race run", error);
  return kUsage;
}

}  // namespace

int run_run(std::span<const char* const> arguments) {
  const Result<RaceOptions> options = parse_race_options(Subcommand::kRun, arguments);
  if (!options) {
    complain("vigil race run", options.error());
    std::fputs("`vigil race run --help` lists the options.\n", stderr);
    return kUsage;
  }
  if (options->help) {
    std::printf("%s%s%s", kHead, race_options_help(Subcommand::kRun).c_str(), kTail);
    return kClean;
  }
  Suppressions suppressions;
  for (const std::string& path : options->suppressions) {
    if (Result<void> added = suppressions.add_file(path); !added) return fail(added.error());
  }
  std::signal(SIGINT, interrupt);
  Campaign campaign(*options, &suppressions);
  RunOutput output(*options);
  const Result<void> ran = campaign.run(
      [&](const ScheduleResult& result, const std::vector<report::Finding>& news) {
        output.show(result, news, campaign.totals());
      },
      &interrupted);
  if (!ran) return fail(ran.error());
  output.close(campaign, &suppressions);
  if (Result<void> written = output.write_files(campaign); !written) return fail(written.error());
  return campaign.table().empty() ? kClean : kFindings;
}

}  // namespace vigil::tools::race
