// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/advise/advise_command.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "vigil/base/check.h"
#include "vigil/tools/bench/maps/maps_command.h"
#include "vigil/tools/command.h"
#include "vigil/tools/options/options.h"
#include "vigil/tools/terminal.h"

namespace vigil::tools {
namespace {

std::string line(const MixCell& cell, double fastest) {
  std::array<char, 128> text{};
  std::snprintf(text.data(), text.size(), "%-20s %10.1f Mops/s %6.0f %% of the fastest%s\n",
                cell.map.c_str(), cell.mops, 100 * cell.mops / fastest,
                cell.peer ? "  (peer)" : "");
  return text.data();
}

std::string speed_of(const MixCell& cell) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), " (%.1f Mops/s)", cell.mops);
  return text.data();
}

}  // namespace

Result<Question> parse_question(std::span<const char* const> arguments, std::string& help) {
  constexpr std::size_t kKeysMax = 50'000'000;
  constexpr std::size_t kKeyBytesMax = 4096;
  constexpr std::uint32_t kThreadsMax = 1024;
  Question question;
  const std::vector<Option> table = {
      {"--reads", "SHARE", "share of reads, 0 to 1 (0.9)", store_fraction(&question.reads, 0, 1)},
      {"--keys", "N", "entries in the map (1e5)", store_number(&question.keys, 1, kKeysMax)},
      {"--threads", "N", "threads that use it (2)",
       store_number(&question.threads, 1, kThreadsMax)},
      {"--key-bytes", "N", "8: numbers; else strings of that length (8)",
       store_number(&question.key_bytes, 1, kKeyBytesMax)},
      {"--zipf", "", "few keys take most operations", store_flag(&question.zipf)},
  };
  const Result<ParsedArguments> parsed = parse_options(table, arguments, Operands::kNone);
  if (!parsed) return parsed.error();
  if (parsed->help) {
    help = command_help(
        "vigil advise [OPTIONS]", "Measures your mix of operations here and recommends a map.",
        table, "Example:\n  vigil advise --reads 0.9 --keys 1e6 --threads 8 --key-bytes 16");
  }
  return question;
}

MixPlan plan_for(const Question& question) {
  MixPlan plan;
  plan.key_bytes = {question.key_bytes};
  plan.entries = {question.keys};
  plan.read_percents = {static_cast<std::uint32_t>(std::lround(question.reads * 100))};
  plan.threads = {question.threads};
  plan.distributions = {question.zipf ? Distribution::kZipf : Distribution::kUniform};
  plan.repeats = 7;
  return plan;
}

std::string advice(const MapsResults& results, const Registry& maps) {
  std::vector<MixCell> cells = results.cells;
  std::sort(cells.begin(), cells.end(),
            [](const MixCell& a, const MixCell& b) { return a.mops > b.mops; });
  std::string text;
  for (const MixCell& cell : cells) text += line(cell, cells.front().mops);
  const auto best =
      std::find_if(cells.begin(), cells.end(), [](const MixCell& cell) { return !cell.peer; });
  VIGIL_CHECK(best != cells.end(), "no map of vigil was measured");
  const auto entry = std::find_if(maps.begin(), maps.end(), [&](const MapEntry& candidate) {
    return candidate.name == best->map;
  });
  VIGIL_CHECK(entry != maps.end(), "a map was measured that is not in the registry");
  text += "\nTake " + best->map + ": " + entry->reason + ".\n";
  for (const MixCell& cell : results.limits) {
    text += "If no other thread uses it, " + cell.map + " is enough" + speed_of(cell) +
            "; it reports a second thread.\n";
  }
  if (best != cells.begin()) {
    text += cells.front().map +
            " was faster in this mix; it is a peer, without vigil's deadlines, statistics and "
            "checks.\n";
  }
  return text;
}

int run_advise(std::span<const char* const> arguments) {
  std::string help;
  const Result<Question> question = parse_question(arguments, help);
  if (!question) {
    complain("vigil advise", question.error());
    return kUsage;
  }
  if (!help.empty()) {
    std::fputs(help.c_str(), stdout);
    return kClean;
  }
  Registry maps = all_maps();
  std::erase_if(maps, [](const MapEntry& entry) { return entry.role == Role::kLimit; });
  MapsResults results;
  results.machine = describe_machine();
  measure_mixes(plan_for(question.value()), maps, progress_on_terminal(), results);
  if (has_cursor(STDERR_FILENO)) std::fputs("\r\033[K", stderr);
  std::printf("Machine: %s\n%s", results.machine.c_str(), advice(results, maps).c_str());
  return kClean;
}

}  // namespace vigil::tools
