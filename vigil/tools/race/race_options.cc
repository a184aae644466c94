// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/race_options.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <initializer_list>

namespace vigil::tools::race {
namespace {

constexpr unsigned kRun = static_cast<unsigned>(Subcommand::kRun);
constexpr unsigned kReplay = static_cast<unsigned>(Subcommand::kReplay);
constexpr unsigned kMinimize = static_cast<unsigned>(Subcommand::kMinimize);
constexpr unsigned kAll = kRun | kReplay | kMinimize;

constexpr std::uint64_t kMaxJobs = 1024;
constexpr std::uint64_t kMaxTimeout_s = 1'000'000;

Error unusable(std::string_view option, std::string_view value, std::string_view expected) {
  return Error{
      std::string(option).append(" ").append(value).append(": expected ").append(expected)};
}

Result<void> set_number(std::string_view option, std::string_view value, std::uint64_t min,
                        std::uint64_t max, std::uint64_t* number) {
  std::uint64_t parsed = 0;
  const char* const end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, parsed);
  if (error != std::errc() || stop != end || parsed < min || parsed > max) {
    return unusable(option, value,
                    "a whole number from " + std::to_string(min) + " to " + std::to_string(max));
  }
  *number = parsed;
  return {};
}

Result<void> set_choice(std::string_view option, std::string_view value,
                        std::initializer_list<std::string_view> choices, std::string* chosen) {
  if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
    std::string known;
    for (const std::string_view choice : choices)
      known.append(known.empty() ? "" : ", ").append(choice);
    return unusable(option, value, "one of " + known);
  }
  *chosen = value;
  return {};
}

Result<void> set_path(std::string_view option, std::string_view value, std::string* path) {
  if (value.empty()) return unusable(option, "\"\"", "the path of a file");
  *path = value;
  return {};
}

struct Option {
  std::string_view name;
  std::string_view value;  // how the help calls it; empty: the option takes none
  std::string_view help;
  unsigned subcommands;
  Result<void> (*set)(std::string_view option, std::string_view value, RaceOptions* options);
};

using Name = std::string_view;

constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};

constexpr Option kOptions[] = {
    {"--mode", "controlled|free",
     "controlled (default): one thread at a time, a seeded schedule,\nvirtual time. free: threads "
     "run in parallel in real time",
     kRun | kReplay,
     [](Name option, Name value, RaceOptions* options) {
       return set_choice(option, value, {"controlled", "free"}, &options->mode);
     }},
    {"--strategy", "NAME", "portfolio (default: a mixture), random, pct, pos, surw or\nround-robin",
     kAll,
     [](Name option, Name value, RaceOptions* options) {
       return set_choice(option, value,
                         {"portfolio", "random", "pct", "pos", "surw", "round-robin"},
                         &options->strategy);
     }},
    {"--depth", "N", "of the bugs that pct looks for (default 3)", kAll,
     [](Name option, Name value, RaceOptions* options) {
       return set_number(option, value, 1, 64, &options->depth);
     }},
    {"--seed", "N", "of the first schedule; the next has the next seed (default 1)", kAll,
     [](Name option, Name value, RaceOptions* options) {
       options->seed_given = true;
       return set_number(option, value, 0, kNoLimit, &options->seed);
     }},
    {"--schedules", "N", "how many at most (default 100, with --mode free 1)", kRun,
     [](Name option, Name value, RaceOptions* options) {
       return set_number(option, value, 1, kNoLimit, &options->schedules);
     }},
    {"--jobs", "N", "programs that run at the same time (default 1)", kRun,
     [](Name option, Name value, RaceOptions* options) {
       return set_number(option, value, 1, kMaxJobs, &options->jobs);
     }},
    {"--points", "sync|memory|conflicts",
     "where threads may be switched: at synchronisation and atomics\n(default), at every memory "
     "access too, or at those accesses that\nraced in an earlier schedule",
     kAll,
     [](Name option, Name value, RaceOptions* options) {
       return set_choice(option, value, {"sync", "memory", "conflicts"}, &options->points);
     }},
    {"--conflicts", "PLACE,PLACE,...",
     "the accesses that --points conflicts begins with; replay commands\nname them", kAll,
     [](Name option, Name value, RaceOptions* options) -> Result<void> {
       if (value.find_first_not_of("0123456789,") != Name::npos)
         return unusable(option, value, "numbers with commas between them");
       options->conflicts = value;
       return {};
     }},
    {"--time", "virtual|real", "virtual (default): sleeps and timeouts take no time", kAll,
     [](Name option, Name value, RaceOptions* options) {
       return set_choice(option, value, {"virtual", "real"}, &options->time);
     }},
    {"--max-points", "N", "scheduling points before a schedule counts as a livelock", kAll,
     [](Name option, Name value, RaceOptions* options) {
       return set_number(option, value, 1, kNoLimit, &options->max_points);
     }},
    {"--timeout-s", "N", "real seconds before a schedule is killed (default 60)", kAll,
     [](Name option, Name value, RaceOptions* options) {
       return set_number(option, value, 1, kMaxTimeout_s, &options->timeout_s);
     }},
    {"--suppressions", "FILE", "findings not to report, in ThreadSanitizer's syntax; repeatable",
     kRun | kReplay,
     [](Name option, Name value, RaceOptions* options) {
       return set_path(option, value, &options->suppressions.emplace_back());
     }},
    {"--json", "FILE", "write the report as JSON; - is standard output", kRun | kReplay,
     [](Name option, Name value, RaceOptions* options) {
       return set_path(option, value, &options->json);
     }},
    {"--events", "FILE",
     "write the event stream of the first schedule with a finding,\nelse of the last one",
     kRun | kReplay,
     [](Name option, Name value, RaceOptions* options) {
       return set_path(option, value, &options->events);
     }},
    {"--output", "FILE", "the replay file to write (default PROGRAM.replay)", kMinimize,
     [](Name option, Name value, RaceOptions* options) {
       return set_path(option, value, &options->output);
     }},
    {"--keep-going", "", "do not stop at the first schedule with a finding", kRun,
     [](Name, Name, RaceOptions* options) -> Result<void> {
       options->keep_going = true;
       return {};
     }},
};

bool belongs_to(const Option& option, Subcommand subcommand) {
  return (option.subcommands & static_cast<unsigned>(subcommand)) != 0;
}

const Option* option_named(Subcommand subcommand, std::string_view name) {
  for (const Option& option : kOptions) {
    if (option.name == name && belongs_to(option, subcommand)) return &option;
  }
  return nullptr;
}

// One option with its value, which may be the next argument; advances `at` past what it took.
Result<void> take_option(Subcommand subcommand, std::span<const char* const> arguments,
                         std::size_t* at, RaceOptions* options) {
  const std::string_view argument = arguments[(*at)++];
  const std::size_t equals = argument.find('=');
  const std::string_view name = argument.substr(0, equals);
  const Option* const option = option_named(subcommand, name);
  if (option == nullptr) return Error{"unknown option " + std::string(name)};
  if (option->value.empty()) {
    if (equals != std::string_view::npos) return Error{std::string(name) + " takes no value"};
    return option->set(name, "", options);
  }
  if (equals != std::string_view::npos)
    return option->set(name, argument.substr(equals + 1), options);
  if (*at == arguments.size()) return Error{std::string(name) + " needs a value"};
  return option->set(name, arguments[(*at)++], options);
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
  std::size_t at = 0;
  while (at < arguments.size() && options.program.empty()) {
    const std::string_view argument = arguments[at];
    if (argument == "--help" || argument == "-h") {
      options.help = true;
      return options;
    }
    if (argument == "--") {
      options.program.assign(arguments.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                             arguments.end());
      break;
    }
    if (argument.starts_with("-")) {
      if (Result<void> taken = take_option(subcommand, arguments, &at, &options); !taken)
        return taken.error();
    } else if (subcommand != Subcommand::kRun && options.file.empty()) {
      options.file = argument;
      ++at;
    } else {
      options.program.assign(arguments.begin() + static_cast<std::ptrdiff_t>(at), arguments.end());
    }
  }
  if (Result<void> complete = check_completeness(subcommand, options); !complete)
    return complete.error();
  if (options.schedules == 0) options.schedules = options.controlled() ? 100 : 1;
  return options;
}

std::string race_options_help(Subcommand subcommand) {
  constexpr std::size_t kColumn = 32;
  std::string text;
  for (const Option& option : kOptions) {
    if (!belongs_to(option, subcommand)) continue;
    std::string line = "  " + std::string(option.name);
    if (!option.value.empty()) line.append(" ").append(option.value);
    if (line.size() >= kColumn) line.append("\n").append(kColumn, ' ');
    if (line.find('\n') == std::string::npos) line.resize(kColumn, ' ');
    for (const char c : option.help) {
      line.push_back(c);
      if (c == '\n') line.append(kColumn, ' ');
    }
    text.append(line).append("\n");
  }
  return text;
}

}  // namespace vigil::tools::race
