// SPDX-License-Identifier: Apache-2.0
//
// Never built: check_discards.py compiles it and expects a warning in each line that is marked, and
// in no other. A type that loses its [[nodiscard]] loses its warning.
#include <string>

#include "vigil/base/result.h"
#include "vigil/report/report_json.h"
#include "vigil/tools/evidence/evidence.h"
#include "vigil/tools/evidence/json_scan.h"
#include "vigil/tools/input/byte_source.h"
#include "vigil/tools/input/parts.h"

namespace vigil {

Result<int> value();
Result<void> done();
Error error();

void discard(tools::input::ByteSource& source, tools::input::TextInput& text) {
  value();                                     // discarded
  done();                                      // discarded
  error();                                     // discarded
  source.read();                               // discarded
  tools::input::for_each_part("log", {}, {});  // discarded
  tools::evidence::read_evidence("log", {});   // discarded
  tools::evidence::scan_json(text);            // discarded
  report::run_report_from_json("{}");          // discarded
  report::evidence_from_json("{}");            // discarded
  [] { return done(); }();                     // discarded
  if (value()) done();                         // discarded
  if (const Result<void> kept = done(); !kept) return;
}

}  // namespace vigil
