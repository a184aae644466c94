// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/xml.h"
#include "vigil/tools/gate/output/outputs.h"

namespace vigil::tools::gate {
namespace {

using text::xml_text;

constexpr std::size_t kFramesMax = 32;

std::string stacks_of(const Issue& issue) {
  std::string text;
  for (const evidence::Side& side : issue.sides) {
    text += std::string(report::to_string(side.operation)) + " in layer " +
            std::string(layers::to_string(side.layer)) + ":\n";
    std::size_t shown = 0;
    for (const report::Frame& frame : side.stack) {
      if (++shown > kFramesMax) break;
      text +=
          "  " + frame.function + "\n      " + frame.file + ":" + std::to_string(frame.line) + "\n";
    }
  }
  return text;
}

std::string test_case(std::string_view name, std::string_view class_name,
                      std::string_view content) {
  std::string text = "    <testcase name=\"" + xml_text(name) + "\" classname=\"" +
                     xml_text(class_name) + "\" time=\"0\"";
  if (content.empty()) return text + "/>\n";
  return text.append(">\n").append(content).append("    </testcase>\n");
}

std::string failure(std::string_view type, std::string_view message, std::string_view detail) {
  return "      <failure type=\"" + xml_text(type) + "\" message=\"" + xml_text(message) + "\">" +
         xml_text(detail) + "</failure>\n";
}

std::string issue_case(const Issue& issue) {
  std::string content;
  if (issue.blocks) {
    content = failure(issue.rule, issue.title, stacks_of(issue));
  } else {
    const std::string why =
        issue.status_reason.empty() ? "does not block this stage" : issue.status_reason;
    content = "      <skipped message=\"" + xml_text(why) + "\"/>\n";
  }
  return test_case(issue.title, issue.fingerprint, content);
}

}  // namespace

std::string to_junit(const Verdict& verdict) {
  std::string cases;
  std::size_t failures = 0;
  std::size_t skipped = 0;
  for (const Issue& issue : verdict.issues) {
    cases += issue_case(issue);
    ++(issue.blocks ? failures : skipped);
  }
  std::string reasons;
  for (const std::string& reason : verdict.reasons) reasons += reason + "\n";
  if (verdict.outcome == Outcome::kBlocked) ++failures;
  cases += test_case("the stage passes", "vigil.gate." + verdict.stage.name,
                     verdict.outcome == Outcome::kPassed
                         ? std::string()
                         : failure("blocked", verdict.reasons.front(), reasons));
  const std::string counts = "tests=\"" + std::to_string(verdict.issues.size() + 1) +
                             "\" failures=\"" + std::to_string(failures) + "\" errors=\"0\"";
  const std::string suite = "name=\"vigil gate " + xml_text(verdict.stage.name) + "\"";
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites " + counts + ">\n  <testsuite " +
         suite + " " + counts + " skipped=\"" + std::to_string(skipped) + "\" time=\"0\">\n" +
         cases + "  </testsuite>\n</testsuites>\n";
}

}  // namespace vigil::tools::gate
