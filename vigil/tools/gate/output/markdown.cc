// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/visible.h"
#include "vigil/tools/gate/output/outputs.h"

namespace vigil::tools::gate {
namespace {

std::string escaped(std::string_view bytes) {
  constexpr std::string_view kSpecial = "\\`*_{}[]()#+!|~";
  std::string text;
  for (const char c : text::visible_text(bytes)) {
    if (c == '<') {
      text += "&lt;";
    } else if (c == '&') {
      text += "&amp;";
    } else {
      if (kSpecial.find(c) != std::string_view::npos) text += '\\';
      text += c;
    }
  }
  return text;
}

std::string place(const Issue& issue, std::size_t index) {
  if (index >= issue.sides.size()) return "";
  const evidence::Side& side = issue.sides[index];
  std::string text = escaped(place_of(side));
  if (!issue.from_scanner) {
    text += "<br>" + escaped(report::to_string(side.operation)) + ", " +
            escaped(layers::to_string(side.layer));
  }
  return text;
}

std::string row(const Issue& issue) {
  const std::string_view state = issue.blocks ? "**blocks**" : to_string(issue.status);
  std::string text = "| " + std::string(state) + " | " + escaped(issue.rule) + " | " +
                     place(issue, 0) + " | " + place(issue, 1) + " | " +
                     std::to_string(issue.occurrences) + " | " + escaped(issue.status_reason);
  return text + " |\n";
}

std::string list(std::string_view title, const std::vector<std::string>& texts) {
  if (texts.empty()) return "";
  std::string text = "\n" + std::string(title) + "\n\n";
  for (const std::string& each : texts) text += "- " + escaped(each) + "\n";
  return text;
}

}  // namespace

std::string to_markdown(const Verdict& verdict) {
  const bool passed = verdict.outcome == Outcome::kPassed;
  std::string text = "## vigil gate: " + escaped(verdict.stage.name) + " " +
                     std::string(to_string(verdict.outcome)) + "\n";
  text += list(passed ? "" : "Why:", verdict.reasons);
  if (!verdict.issues.empty()) {
    text += "\n| | finding | one side | other side | reports | note |\n|---|---|---|---|---|---|\n";
  }
  for (std::size_t i = 0; i < verdict.issues.size() && i < kMarkdownIssuesMax; ++i) {
    text += row(verdict.issues[i]);
  }
  if (verdict.issues.size() > kMarkdownIssuesMax) {
    text += "\n" + std::to_string(verdict.issues.size() - kMarkdownIssuesMax) +
            " more are in the JSON and SARIF files.\n";
  }
  text += list("Notes:", verdict.notes);
  std::vector<std::string> proofs;
  for (const Input& input : verdict.inputs) {
    if (!input.proofs.empty()) proofs.push_back(input.proofs.front());
  }
  return text + list("The detector ran:", proofs);
}

}  // namespace vigil::tools::gate
