// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/visible.h"
#include "vigil/tools/gate/output/outputs.h"

namespace vigil::tools::gate {
namespace {

// GitHub's escapes: % and LF everywhere; ':' and ',' too in properties. Nothing else is hidden.
std::string escaped(std::string_view bytes, bool is_property) {
  std::string text;
  for (const char c : text::visible_lines(bytes)) {
    switch (c) {
      case '%':
        text += "%25";
        break;
      case '\n':
        text += "%0A";
        break;
      case ':':
        text += is_property ? "%3A" : ":";
        break;
      case ',':
        text += is_property ? "%2C" : ",";
        break;
      default:
        text += c;
    }
  }
  return text;
}

std::string annotation(std::string_view command, const evidence::Side* place,
                       std::string_view text) {
  std::string line = "::" + std::string(command) + " ";
  if (place != nullptr && !place->file.empty()) {
    line += "file=" + escaped(place->file, true) + ",";
    if (place->line > 0) line += "line=" + std::to_string(place->line) + ",";
  }
  return line + "title=vigil gate::" + escaped(text, false) + "\n";
}

}  // namespace

std::string to_annotations(const Verdict& verdict) {
  std::string text;
  std::size_t count = 0;
  for (const std::string& reason : verdict.reasons) {
    if (++count > kAnnotationsMax) return text;
    text += annotation("error", nullptr, verdict.stage.name + ": " + reason);
  }
  for (const Issue& issue : verdict.issues) {
    if (issue.status != Issue::Status::kNew) continue;
    if (++count > kAnnotationsMax) return text;
    text += annotation(issue.blocks ? "error" : "warning",
                       issue.sides.empty() ? nullptr : &issue.sides.front(), issue.title);
  }
  return text;
}

}  // namespace vigil::tools::gate
