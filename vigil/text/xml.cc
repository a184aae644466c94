// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/xml.h"

#include "vigil/text/visible.h"

namespace vigil::text {

std::string xml_text(std::string_view bytes) {
  std::string text;
  for (const char c : visible_lines(bytes)) {
    switch (c) {
      case '&':
        text += "&amp;";
        break;
      case '<':
        text += "&lt;";
        break;
      case '>':
        text += "&gt;";
        break;
      case '"':
        text += "&quot;";
        break;
      default:
        text += c;
    }
  }
  return text;
}

}  // namespace vigil::text
