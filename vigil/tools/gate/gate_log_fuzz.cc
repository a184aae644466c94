// SPDX-License-Identifier: Apache-2.0
//
// Output of test runners, cut anywhere: read in pieces it says the same as in one. The first byte
// is where the cut is.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "vigil/base/check.h"
#include "vigil/tools/gate/ctest_log.h"
#include "vigil/tools/gate/detector_proof.h"
#include "vigil/tools/gate/run_log.h"

namespace vigil::tools::gate {
namespace {

template <class Log>
Log read(std::string_view text, std::size_t cut) {
  Log log;
  log.feed(text.substr(0, cut));
  log.feed(text.substr(cut));
  log.finish();
  return log;
}

}  // namespace
}  // namespace vigil::tools::gate

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vigil::tools::gate;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = data[0] * text.size() / 256;
  const RunLog whole = read<RunLog>(text, 0);
  const RunLog pieces = read<RunLog>(text, cut);
  VIGIL_CHECK(whole.tests_run() == pieces.tests_run(), "a cut does not change the tests");
  VIGIL_CHECK(whole.other_failures() == pieces.other_failures(), "nor the failures");
  VIGIL_CHECK(whole.failures_by_race() == pieces.failures_by_race(), "nor those by a race");
  const CtestLog ctest = read<CtestLog>(text, cut);
  VIGIL_CHECK(ctest.tests().size() == read<CtestLog>(text, 0).tests().size(), "nor ctest's");
  (void)switched_off_by([&](const char*) { return std::string(text); });
  (void)log_paths_of([&](const char*) { return std::string(text); });
  return 0;
}
