// SPDX-License-Identifier: Apache-2.0
//
// `vigil race show`: the findings of a record file with their names. Programs that are started by
// themselves call it for each of their findings.
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>

#include "vigil/base/files.h"
#include "vigil/tools/command.h"
#include "vigil/tools/race/finding_namer.h"
#include "vigil/tools/race/race_command.h"
#include "vigil/tools/race/record_reader.h"
#include "vigil/tools/race/suppressions.h"
#include "vigil/tools/race/text_report.h"

namespace vigil::tools::race {
namespace {

// Every finding that was to be shown is suppressed; the runtime (rt/detector/named_report.cc) then
// does not count it.
constexpr int kAllSuppressed = 4;

constexpr const char* kHelp = R"(Usage: vigil race show [--latest-of PROCESS] FILE

Prints the findings of a record file, which a program writes with VIGIL_RACE_OPTIONS="out=FILE";
with --latest-of the latest one of that process only.

Examples:
  VIGIL_RACE_OPTIONS="out=service.records" ./service
  vigil race show service.records

Exit codes: 0 printed, 2 usage, 4 all of them are suppressed by the program itself.
)";

struct Wanted {
  std::string file;
  std::uint32_t process = 0;  // 0: all
};

bool parse(std::span<const char* const> arguments, Wanted* wanted) {
  if (arguments.size() == 3 && std::string_view(arguments[0]) == "--latest-of") {
    const std::string_view number = arguments[1];
    const auto parsed =
        std::from_chars(number.data(), number.data() + number.size(), wanted->process);
    if (parsed.ec != std::errc() || wanted->process == 0) return false;
    wanted->file = arguments[2];
    return true;
  }
  if (arguments.size() != 1) return false;
  wanted->file = arguments[0];
  return true;
}

void print(const report::Finding& finding) {
  std::printf("==================\n%s", text_report(finding, style_for(STDOUT_FILENO)).c_str());
}

// How many findings were printed, of how many.
struct Shown {
  std::size_t printed = 0;
  std::size_t all = 0;
};

Shown show(const RecordedProcess& process, bool latest, FindingNamer* namer) {
  Suppressions suppressions;
  for (const std::string& text : process.suppressions) {
    if (Result<void> added = suppressions.add(text, "the program"); !added) {
      std::fprintf(stderr, "vigil race show: %s\n", added.error().message.c_str());
    }
  }
  Shown shown;
  const std::size_t first = latest && !process.findings.empty() ? process.findings.size() - 1 : 0;
  for (std::size_t index = first; index < process.findings.size(); ++index) {
    const report::Finding finding = namer->name(process, process.findings[index]);
    ++shown.all;
    if (suppressions.suppress(finding)) continue;
    ++shown.printed;
    print(finding);
  }
  return shown;
}

}  // namespace

int run_show(std::span<const char* const> arguments) {
  Wanted wanted;
  if (arguments.size() == 1 && std::string_view(arguments[0]) == "--help") {
    std::fputs(kHelp, stdout);
    return kClean;
  }
  if (!parse(arguments, &wanted)) {
    std::fputs(kHelp, stderr);
    return kUsage;
  }
  const Result<std::string> bytes = read_file(wanted.file);
  if (!bytes) {
    std::fprintf(stderr, "vigil race show: %s\n", bytes.error().message.c_str());
    return kUsage;
  }
  const Recording recording = read_records(*bytes);
  FindingNamer namer;
  Shown total;
  for (const RecordedProcess& process : recording.processes) {
    if (wanted.process != 0 && process.start.process != wanted.process) continue;
    const Shown shown = show(process, wanted.process != 0, &namer);
    total.printed += shown.printed;
    total.all += shown.all;
  }
  if (wanted.process == 0 && total.all == 0) std::puts("vigil: no finding");
  return total.all != 0 && total.printed == 0 ? kAllSuppressed : kClean;
}

}  // namespace vigil::tools::race
