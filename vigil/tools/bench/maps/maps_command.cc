// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/bench/maps/maps_command.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "vigil/tools/command.h"
#include "vigil/tools/options/options.h"
#include "vigil/tools/output_file.h"
#include "vigil/tools/terminal.h"

namespace vigil::tools {
namespace {

constexpr std::uint32_t kThreadsMax = 1024;
constexpr std::uint64_t kEntriesMax = 100'000'000;
constexpr std::uint32_t kRepeatsMax = 1000;

constexpr const char* kFooter =
    R"(Presets: read-only, nine-to-one, thirty-percent-writes (article); service-reads,
service-balanced (service).

Examples:
  vigil bench maps --quick --json maps.json
  vigil bench maps --preset article --threads 1 2 --html maps.html
  vigil bench maps --preset service-reads --threads 2 --entries 65536 --distribution uniform \
      --no-growth --no-memory --svg maps.svg)";

// The mixes of the article that vigil answers, by name.
struct Preset {
  const char* name;
  std::vector<std::uint32_t> read_percents;
};

const std::vector<Preset>& presets() {
  static const std::vector<Preset> presets = {
      {"read-only", {100}},    {"nine-to-one", {90}},      {"thirty-percent-writes", {70}},
      {"service-reads", {95}}, {"service-balanced", {50}}, {"article", {100, 90, 70}},
      {"service", {95, 50}},
  };
  return presets;
}

void make_quick(MapsOptions& options) {
  options.mixes.entries = {1'000, 65'536};
  options.mixes.read_percents = {100, 95, 50};
  options.mixes.threads = {1, 2};
  options.mixes.repeats = 3;
  options.mixes.duration = std::chrono::milliseconds(12);
  options.growth = {.entries = 500'000, .repeats = 2};
  options.memory.octave_begin = 100'000;
}

Result<bool> apply_preset(MapsOptions& options, const std::string& name) {
  std::string known;
  for (const Preset& preset : presets()) {
    if (preset.name == name) {
      options.mixes.read_percents = preset.read_percents;
      return true;
    }
    known.append(known.empty() ? "" : ", ").append(preset.name);
  }
  return Error{"unknown preset \"" + name + "\"; known: " + known};
}

bool save(const std::string& file, const std::string& text) {
  if (file.empty()) return true;
  const Result<void> written = write_output(file, text);
  if (!written) complain("vigil bench maps", written.error());
  return written.has_value();
}

Registry chosen_maps(const std::string& only) {
  Registry maps = all_maps();
  std::erase_if(maps,
                [&](const MapEntry& entry) { return entry.name.find(only) == std::string::npos; });
  return maps;
}

// Go's maps are peers where the machine has a `go`.
void measure_go_if_present(const MapsOptions& options, const Progress& progress,
                           MapsResults& results) {
  if (!options.with_go || !options.only.empty()) return;
  const Result<void> measured = measure_go(options.mixes, progress, results);
  if (measured) return;
  complain("vigil bench maps", "Go's maps are left out: " + measured.error().message);
}

}  // namespace

Result<MapsOptions> parse_maps_options(std::span<const char* const> arguments, std::string& help) {
  MapsOptions options;
  bool quick = false;
  std::string preset;
  std::vector<std::uint32_t> threads;
  std::vector<std::uint64_t> entries;
  std::uint32_t repeats = 0;  // not given
  std::string distribution;
  const std::vector<Option> table = {
      {"--quick", "", "fewer cells, less than a minute", store_flag(&quick)},
      {"--preset", "NAME", "a named mix", store_text(&preset)},
      {"--threads", "N...", "numbers of threads", store_numbers(&threads, 1, kThreadsMax), true},
      {"--entries", "N...", "numbers of entries", store_numbers(&entries, 1, kEntriesMax), true},
      {"--distribution", "NAME", "only uniform or zipf draws of keys",
       store_choice(&distribution, {"uniform", "zipf"})},
      {"--repeats", "N", "runs per cell and map", store_number(&repeats, 1, kRepeatsMax)},
      {"--only", "TEXT", "only maps whose name contains this", store_text(&options.only)},
      {"--no-mixes", "", "leave out the mixes", store_flag(&options.with_mixes, false)},
      {"--no-go", "", "leave out Go's maps, even if go is installed",
       store_flag(&options.with_go, false)},
      {"--no-growth", "", "leave out growth", store_flag(&options.with_growth, false)},
      {"--no-memory", "", "leave out memory", store_flag(&options.with_memory, false)},
      {"--json", "FILE", "write the results to this file", store_path(&options.json_file)},
      {"--html", "FILE", "write a page with plots to this file", store_path(&options.html_file)},
      {"--svg", "FILE", "write a picture with a bar per map to this file",
       store_path(&options.svg_file)},
  };
  const Result<ParsedArguments> parsed = parse_options(table, arguments, Operands::kNone);
  if (!parsed) return parsed.error();
  if (parsed->help) {
    help = command_help("vigil bench maps [OPTIONS]",
                        "Measures vigil's maps against packaged peers on this machine.", table,
                        kFooter);
    return options;
  }
  if (quick) make_quick(options);
  if (repeats != 0) options.mixes.repeats = repeats;
  if (!threads.empty()) options.mixes.threads = threads;
  if (!entries.empty()) options.mixes.entries = entries;
  if (!distribution.empty()) {
    std::erase_if(options.mixes.distributions,
                  [&](Distribution drawn) { return name_of(drawn) != distribution; });
  }
  if (!preset.empty()) {
    if (const Result<bool> known = apply_preset(options, preset); !known) return known.error();
  }
  return options;
}

Progress progress_on_terminal() {
  if (!has_cursor(STDERR_FILENO)) return [](const std::string&, double) {};
  return [](const std::string& what, double done) {
    std::fprintf(stderr, "\r\033[K[%3.0f %%] %s", done * 100, what.c_str());
    std::fflush(stderr);
  };
}

int run_bench_maps(std::span<const char* const> arguments) {
  std::string help;
  const Result<MapsOptions> options = parse_maps_options(arguments, help);
  if (!options) {
    complain("vigil bench maps", options.error());
    return kUsage;
  }
  if (!help.empty()) {
    std::fputs(help.c_str(), stdout);
    return kClean;
  }
  const Registry maps = chosen_maps(options->only);
  const Progress progress = progress_on_terminal();
  MapsResults results;
  results.machine = describe_machine();
  // Memory first: it forks, and no thread of a map may run then.
  if (options->with_memory) measure_memory(options->memory, maps, progress, results);
  if (options->with_mixes) {
    measure_mixes(options->mixes, maps, progress, results);
    measure_go_if_present(*options, progress, results);
  }
  if (options->with_growth) measure_growth(options->growth, maps, progress, results);
  if (has_cursor(STDERR_FILENO)) std::fputs("\r\033[K", stderr);
  std::fputs(to_table(results).c_str(), stdout);
  const bool saved = save(options->json_file, to_json(results)) &&
                     save(options->html_file, to_html(results)) &&
                     save(options->svg_file, to_svg(results));
  return saved ? kClean : kUsage;
}

}  // namespace vigil::tools
