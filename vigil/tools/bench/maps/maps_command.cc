// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/bench/maps/maps_command.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include <CLI/CLI.hpp>

#include "vigil/tools/command.h"

namespace vigil::tools {
namespace {

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
  std::ofstream out(file);
  out << text;
  out.close();
  if (out) return true;
  std::fprintf(stderr, "vigil bench maps: cannot write %s\n", file.c_str());
  return false;
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
  std::fprintf(stderr, "vigil bench maps: Go's maps are left out: %s\n",
               measured.error().message.c_str());
}

}  // namespace

Result<MapsOptions> parse_maps_options(std::span<const char* const> arguments, std::string& help) {
  MapsOptions options;
  bool quick = false;
  std::string preset;
  CLI::App app("Measures vigil's maps against packaged peers on this machine.", "vigil bench maps");
  app.footer(
      "Presets: read-only, nine-to-one, thirty-percent-writes (article); service-reads,\n"
      "service-balanced (service).\n\nExamples:\n  vigil bench maps --quick --json maps.json\n"
      "  vigil bench maps --preset article --threads 1 2 --html maps.html");
  app.add_flag("--quick", quick, "fewer cells, less than a minute");
  app.add_option("--preset", preset, "a named mix");
  std::vector<std::uint32_t> threads;
  std::vector<std::uint64_t> entries;
  app.add_option("--threads", threads, "numbers of threads")->check(CLI::Range(1, 1024));
  app.add_option("--entries", entries, "numbers of entries")->check(CLI::Range(1, 100'000'000));
  app.add_option("--repeats", options.mixes.repeats, "runs per cell and map")
      ->check(CLI::Range(1, 1000));
  app.add_option("--only", options.only, "only maps whose name contains this");
  app.add_flag("!--no-mixes", options.with_mixes, "leave out the mixes");
  app.add_flag("!--no-go", options.with_go, "leave out Go's maps, even if go is installed");
  app.add_flag("!--no-growth", options.with_growth, "leave out growth");
  app.add_flag("!--no-memory", options.with_memory, "leave out memory");
  app.add_option("--json", options.json_file, "write the results to this file");
  app.add_option("--html", options.html_file, "write a page with plots to this file");
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    help = app.help();
    return options;
  } catch (const CLI::ParseError& error) {
    return Error{error.what()};
  }
  const std::uint32_t repeats = options.mixes.repeats;
  if (quick) make_quick(options);
  if (app.count("--repeats") != 0) options.mixes.repeats = repeats;
  if (!threads.empty()) options.mixes.threads = threads;
  if (!entries.empty()) options.mixes.entries = entries;
  if (!preset.empty()) {
    if (const Result<bool> known = apply_preset(options, preset); !known) return known.error();
  }
  return options;
}

Progress progress_on_terminal() {
  if (isatty(STDERR_FILENO) == 0) return [](const std::string&, double) {};
  return [](const std::string& what, double done) {
    std::fprintf(stderr, "\r\033[K[%3.0f %%] %s", done * 100, what.c_str());
    std::fflush(stderr);
  };
}

int run_bench_maps(std::span<const char* const> arguments) {
  std::string help;
  const Result<MapsOptions> options = parse_maps_options(arguments, help);
  if (!options) {
    std::fprintf(stderr, "vigil bench maps: %s\n", options.error().message.c_str());
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
  if (isatty(STDERR_FILENO) != 0) std::fputs("\r\033[K", stderr);
  std::fputs(to_table(results).c_str(), stdout);
  const bool saved =
      save(options->json_file, to_json(results)) && save(options->html_file, to_html(results));
  return saved ? kClean : kUsage;
}

}  // namespace vigil::tools
