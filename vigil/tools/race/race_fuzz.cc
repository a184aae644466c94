// SPDX-License-Identifier: Apache-2.0
//
// Record streams, replay files and suppressions: any bytes are read or refused. A replay file that
// was read prints as one that reads back to the same.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "vigil/base/check.h"
#include "vigil/tools/race/finding_namer.h"
#include "vigil/tools/race/record_reader.h"
#include "vigil/tools/race/replay_file.h"
#include "vigil/tools/race/suppressions.h"
#include "vigil/tools/race/text_report.h"

namespace {

using namespace vigil::tools::race;

// Without modules: which files a stream names is not for a fuzzer to choose.
void read_stream(std::string_view bytes, Suppressions* suppressions) {
  Recording recording = read_records(bytes);
  FindingNamer namer;
  for (RecordedProcess& process : recording.processes) {
    process.modules.clear();
    for (const RecordedFinding& finding : process.findings) {
      const vigil::report::Finding named = namer.name(process, finding);
      suppressions->suppress(named);
      const std::string text = text_report(named, TextStyle{});
      VIGIL_CHECK(text.find('\033') == std::string::npos, "nothing moves the cursor");
    }
  }
}

void read_replay(std::string_view text) {
  const vigil::Result<ReplayFile> replay = parse_replay_file(text, "fuzz");
  if (!replay) return;
  const std::string printed = to_text(*replay);
  const vigil::Result<ReplayFile> again = parse_replay_file(printed, "printed");
  VIGIL_CHECK(again.has_value(), "a printed replay file reads back");
  VIGIL_CHECK(to_text(*again) == printed, "and prints the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Suppressions suppressions;
  if (!suppressions.add(bytes, "fuzz")) {
    VIGIL_CHECK(suppressions.add("race:*a*\ndeadlock:^main$", "fixed").has_value(), "valid lines");
  }
  read_stream(bytes, &suppressions);
  read_replay(bytes);
  return 0;
}
