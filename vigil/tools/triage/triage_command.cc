// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/triage/triage_command.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "vigil/tools/command.h"
#include "vigil/tools/core/program_file.h"
#include "vigil/tools/options/options.h"
#include "vigil/tools/output_file.h"
#include "vigil/tools/terminal.h"
#include "vigil/tools/triage/triage.h"
#include "vigil/tools/triage/triage_json.h"
#include "vigil/tools/triage/triage_text.h"

namespace vigil::tools {

namespace {

using triage::InputReport;

struct Options {
  std::vector<std::string> inputs;
  std::string format;
  std::string json;
  std::string layers;
  std::string source;
  std::string executable;
  bool all = false;
  bool list_formats = false;
};

constexpr const char* kCall = "vigil triage [OPTIONS] INPUT...";
constexpr const char* kSummary =
    R"(Says who collided with whom on which map, in which layer, and how sure that is.

INPUT is a log, dump, report, core file or process id; - is the standard input.)";
constexpr const char* kFooter = R"(Examples:
  vigil triage crash.log                     a Go or C++ log, dump or report of any format
  go test -race ./... 2>&1 | vigil triage -
  vigil triage core.1234 --executable build/server
  vigil triage --json - logs/*.txt

Exit codes: 0 nothing found, 1 findings, 2 usage, 3 an input was not read to its end or not
understood.)";

std::vector<Option> options_of(Options* options) {
  return {
      {"--json", "FILE", "write the result as JSON to a file; - is the output",
       store_path(&options->json)},
      {"--format", "F", "read every input as this format; see --list-formats",
       store_text(&options->format)},
      {"--list-formats", "", "print the known formats", store_flag(&options->list_formats)},
      {"--layers", "FILE", "rules that come before the built-in ones",
       store_path(&options->layers)},
      {"--source", "DIR", "folder with the program's sources: names maps",
       store_path(&options->source)},
      {"--executable", "FILE", "the program of a core, or of a log without names",
       store_path(&options->executable)},
      {"--all", "", "show every group of threads", store_flag(&options->all)},
  };
}

int print_formats() {
  for (const evidence::Format& format : evidence::formats()) {
    std::printf("%-14s%s\n", std::string(format.name).c_str(), std::string(format.summary).c_str());
  }
  return kClean;
}

triage::TextStyle style_of_output(bool all) {
  triage::TextStyle style;
  if (all) style.groups_max = SIZE_MAX;
  if (isatty(STDOUT_FILENO) == 0) return style;
  style.colour = has_colour(STDOUT_FILENO);
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) style.columns = size.ws_col;
  return style;
}

// Progress is for a person who waits: only on a terminal, only for large inputs.
void show_progress(const input::Progress& progress) {
  constexpr std::uint64_t kLargeBytes = std::uint64_t{64} << 20;
  if (progress.bytes_read < kLargeBytes) return;
  const std::uint64_t mebibytes = progress.bytes_read >> 20;
  if (progress.bytes_total >= progress.bytes_read) {
    std::fprintf(stderr, "\rvigil triage: read %llu MiB, %llu %%",
                 static_cast<unsigned long long>(mebibytes),
                 static_cast<unsigned long long>(progress.bytes_read * 100 / progress.bytes_total));
  } else {
    std::fprintf(stderr, "\rvigil triage: read %llu MiB",
                 static_cast<unsigned long long>(mebibytes));
  }
}

void clear_progress() { std::fprintf(stderr, "\r\x1b[K"); }

bool write_json(const std::string& path, const std::string& json) {
  const Result<void> written = write_output(path, json);
  if (!written) complain("vigil triage", written.error());
  return written.has_value();
}

// What is known about the inputs, in an exit code: doubt comes before findings.
int exit_code_of(const std::vector<InputReport>& reports) {
  const auto any = [&](bool (InputReport::*holds)() const) {
    return std::any_of(reports.begin(), reports.end(),
                       [&](const InputReport& report) { return (report.*holds)(); });
  };
  if (any(&InputReport::is_doubtful)) return kInternal;
  return any(&InputReport::has_findings) ? kFindings : kClean;
}

int run(const Options& options, const layers::Rules& rules) {
  const bool has_terminal = has_cursor(STDERR_FILENO);
  triage::TriageOptions reading;
  reading.format = options.format;
  reading.executable = options.executable;
  if (has_terminal) reading.on_progress = show_progress;
  triage::SourceTree sources(options.source);
  const triage::TextStyle style = style_of_output(options.all);
  std::vector<InputReport> reports;
  const char* gap = "";
  for (const std::string& input : options.inputs) {
    std::vector<InputReport> found = triage::triage_input(input, reading, rules, sources);
    if (has_terminal) clear_progress();
    for (InputReport& report : found) {
      for (const std::string& message : report.damage) complain("vigil triage", message);
      if (options.json != "-" && report.kind != "unreadable") {
        std::fputs(std::exchange(gap, "\n"), stdout);
        std::fputs(triage::to_text(report, rules, style).c_str(), stdout);
      }
      reports.push_back(std::move(report));
    }
  }
  if (!options.json.empty() && !write_json(options.json, triage::to_json(reports, rules))) {
    return kInternal;
  }
  return exit_code_of(reports);
}

int usage_error(const std::string& message) {
  complain("vigil triage", message);
  return kUsage;
}

}  // namespace

int run_triage(std::span<const char* const> arguments) {
  Options options;
  const std::vector<Option> table = options_of(&options);
  Result<ParsedArguments> parsed = parse_options(table, arguments, Operands::kAnywhere);
  if (!parsed) return usage_error(parsed.error().message);
  if (parsed->help) {
    std::fputs(command_help(kCall, kSummary, table, kFooter).c_str(), stdout);
    return kClean;
  }
  options.inputs = std::move(parsed->operands);
  if (options.list_formats) return print_formats();
  if (options.inputs.empty()) return usage_error("no INPUT; --help says more");
  if (!options.format.empty()) {
    bool known = false;
    for (const evidence::Format& format : evidence::formats()) {
      known = known || format.name == options.format;
    }
    if (!known) return usage_error("unknown format \"" + options.format + "\"; see --list-formats");
  }
  if (!options.executable.empty()) {
    if (Result<void> checked = check_program(options.executable); !checked) {
      return usage_error("--executable: " + checked.error().message);
    }
  }
  if (options.layers.empty()) return run(options, layers::Rules::defaults());
  const Result<layers::Rules> rules = layers::Rules::with_defaults(options.layers);
  if (!rules) return usage_error(rules.error().message);
  return run(options, *rules);
}

}  // namespace vigil::tools
