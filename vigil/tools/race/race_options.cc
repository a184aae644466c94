// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/race_options.h"

#include <utility>

#include "vigil/tools/options/options.h"

namespace vigil::tools::race {
namespace {

constexpr unsigned kRun = static_cast<unsigned>(Subcommand::kRun);
constexpr unsigned kReplay = static_cast<unsigned>(Subcommand::kReplay);
constexpr unsigned kMinimize = static_cast<unsigned>(Subcommand::kMinimize);
constexpr unsigned kAll = kRun | kReplay | kMinimize;

constexpr std::uint64_t kDepthMax = 64;
constexpr std::uint64_t kJobsMax = 1024;
constexpr std::uint64_t kTimeoutMax_s = 1'000'000;

constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};

struct RaceOption {
  unsigned subcommands;
  Option option;
};

SetOption store_seed(RaceOptions* options) {
  return [options](std::string_view value) {
    options->seed_given = true;
    return store_number(&options->seed, 0, kNoLimit)(value);
  };
}

// Places as the runtime prints them, which are not looked at further here.
SetOption store_places(std::string* places) {
  return [places](std::string_view value) -> Result<void> {
    if (value.find_first_not_of("0123456789,") != std::string_view::npos) {
      return Error{"expected numbers with commas between them"};
    }
    *places = value;
    return {};
  };
}

std::vector<Option> options_of(Subcommand subcommand, RaceOptions* options) {
  const RaceOption all[] = {
      {kRun | kReplay,
       {"--mode", "controlled|free",
        "controlled (default): one thread at a time, a seeded schedule,\nvirtual time. free: "
        "threads run in parallel in real time",
        store_choice(&options->mode, {"controlled", "free"})}},
      {kAll,
       {"--strategy", "NAME",
        "portfolio (default: a mixture), random, pct, pos, surw or\nround-robin",
        store_choice(&options->strategy,
                     {"portfolio", "random", "pct", "pos", "surw", "round-robin"})}},
      {kAll,
       {"--depth", "N", "of the bugs that pct looks for (default 3)",
        store_number(&options->depth, 1, kDepthMax)}},
      {kAll,
       {"--seed", "N", "of the first schedule; the next has the next seed (default 1)",
        store_seed(options)}},
      {kRun,
       {"--schedules", "N", "how many at most (default 100, with --mode free 1)",
        store_number(&options->schedules, 1, kNoLimit)}},
      {kRun,
       {"--jobs", "N", "programs that run at the same time (default 1)",
        store_number(&options->jobs, 1, kJobsMax)}},
      {kAll,
       {"--points", "sync|memory|conflicts",
        "where threads may be switched: at synchronisation and atomics\n(default), at every memory "
        "access too, or at those accesses that\nraced in an earlier schedule",
        store_choice(&options->points, {"sync", "memory", "conflicts"})}},
      {kAll,
       {"--conflicts", "PLACE,PLACE,...",
        "the accesses that --points conflicts begins with; replay commands\nname them",
        store_places(&options->conflicts)}},
      {kAll,
       {"--time", "virtual|real", "virtual (default): sleeps and timeouts take no time",
        store_choice(&options->time, {"virtual", "real"})}},
      {kAll,
       {"--max-points", "N", "scheduling points before a schedule counts as a livelock",
        store_number(&options->max_points, 1, kNoLimit)}},
      {kAll,
       {"--timeout-s", "N", "real seconds before a schedule is killed (default 60)",
        store_number(&options->timeout_s, 1, kTimeoutMax_s)}},
      {kRun | kReplay,
       {"--suppressions", "FILE", "findings not to report, in ThreadSanitizer's syntax; repeatable",
        store_paths(&options->suppressions)}},
      {kRun | kReplay,
       {"--json", "FILE", "write the report as JSON; - is standard output",
        store_path(&options->json)}},
      {kRun | kReplay,
       {"--events", "FILE",
        "write the event stream of the first schedule with a finding,\nelse of the last one",
        store_path(&options->events)}},
      {kMinimize,
       {"--output", "FILE", "the replay file to write (default PROGRAM.replay)",
        store_path(&options->output)}},
      {kRun | kReplay,
       {"--lock-order", "", "report locks that are taken in two orders (free mode always does)",
        store_flag(&options->lock_order)}},
      {kRun | kReplay,
       {"--no-lock-misuse", "", "report neither that nor other misuse of locks",
        store_flag(&options->no_lock_misuse)}},
      {kRun,
       {"--keep-going", "", "do not stop at the first schedule with a finding",
        store_flag(&options->keep_going)}},
  };
  std::vector<Option> chosen;
  for (const RaceOption& each : all) {
    if ((each.subcommands & static_cast<unsigned>(subcommand)) != 0) chosen.push_back(each.option);
  }
  return chosen;
}

Result<void> check_completeness(Subcommand subcommand, const RaceOptions& options) {
  if (options.program.empty()) return Error{"no program to run: put it and its arguments after --"};
  if (subcommand == Subcommand::kRun) return {};
  if (options.file.empty() && !options.seed_given)
    return Error{"which schedule? name its --seed or a replay file"};
  return {};
}

}  // namespace

Result<RaceOptions> parse_race_options(Subcommand subcommand,
                                       std::span<const char* const> arguments) {
  RaceOptions options;
  const std::vector<Option> table = options_of(subcommand, &options);
  Result<ParsedArguments> parsed = parse_options(table, arguments, Operands::kLast);
  // What to replay stands before the program, and options may follow it, too.
  const bool names_file = parsed && !parsed->has_separator && !parsed->operands.empty();
  if (names_file && subcommand != Subcommand::kRun) {
    options.file = parsed->operands.front();
    parsed = parse_options(table, arguments.last(parsed->operands.size() - 1), Operands::kLast);
  }
  if (!parsed) return parsed.error();
  options.help = parsed->help;
  if (options.help) return options;
  options.program = std::move(parsed->operands);
  if (Result<void> complete = check_completeness(subcommand, options); !complete)
    return complete.error();
  if (options.schedules == 0) options.schedules = options.controlled() ? 100 : 1;
  return options;
}

std::string race_options_help(Subcommand subcommand) {
  RaceOptions unused;
  return options_help(options_of(subcommand, &unused));
}

}  // namespace vigil::tools::race
