// SPDX-License-Identifier: Apache-2.0
//
// The gate's own files: any text is read or refused with a message that names the file, and what is
// written reads back. The first byte chooses the parser.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "vigil/base/check.h"
#include "vigil/tools/gate/baseline.h"
#include "vigil/tools/gate/output/outputs.h"
#include "vigil/tools/gate/policy.h"
#include "vigil/tools/gate/scan_results.h"
#include "vigil/tools/gate/suppression.h"

namespace vigil::tools::gate {
namespace {

void expect_name(const Error& error) {
  VIGIL_CHECK(error.message.starts_with("fuzz:"), "an error names its file");
}

void read_policy(std::string_view text) {
  const Result<Policy> policy = Policy::parse(text, "fuzz");
  if (!policy) return expect_name(policy.error());
  VIGIL_CHECK(!explain(*policy, "").empty(), "a policy can be explained");
}

void read_suppressions(std::string_view text) {
  Suppressions suppressions;
  if (Result<void> added = suppressions.add(text, "fuzz"); !added) expect_name(added.error());
}

void read_baseline(std::string_view text) {
  const Result<Baseline> baseline = Baseline::parse(text, "fuzz");
  if (!baseline) return expect_name(baseline.error());
  const Result<Baseline> again = Baseline::parse(baseline->to_json(), "again");
  VIGIL_CHECK(again.has_value() && *again == *baseline, "a written baseline reads back");
}

void read_scan(std::string_view text) {
  Result<ScanResults> results = read_sarif(text, SourcePaths(""));
  if (!results) return;  // the intake adds the file's name
  Verdict verdict;
  verdict.stage.name = "fuzz";
  verdict.issues = std::move(results->issues);
  const Result<ScanResults> again = read_sarif(to_sarif(verdict), SourcePaths(""));
  VIGIL_CHECK(again.has_value(), "written SARIF reads back");
  (void)to_junit(verdict);
  (void)to_markdown(verdict);
  (void)to_annotations(verdict);
  (void)to_text(verdict, {});
}

void read_verdict(std::string_view text) {
  const Result<PastVerdict> past = past_verdict_from_json(text, "fuzz");
  if (!past) expect_name(past.error());
}

}  // namespace
}  // namespace vigil::tools::gate

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vigil::tools::gate;
  constexpr void (*kParsers[])(std::string_view) = {read_policy, read_suppressions, read_baseline,
                                                    read_scan, read_verdict};
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  kParsers[data[0] % std::size(kParsers)](text);
  return 0;
}
