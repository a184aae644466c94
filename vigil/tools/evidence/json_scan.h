// SPDX-License-Identifier: Apache-2.0
//
// JsonScan: one JSON value of a text, taken off its front as far as it is JSON, and whether it is a
// document that a reader knows. It fails at the first byte that is no JSON, so text that merely
// begins like JSON costs nothing.
//
// Thread safety: a plain value. Memory: that of the value, at most kDocumentBytesMax.
#pragma once

#include <cstdint>
#include <string>

#include "vigil/tools/input/text_input.h"

namespace vigil::tools::evidence {

struct [[nodiscard]] JsonScan {
  enum class Shape : std::uint8_t { kOther, kSarif, kVigil };

  std::string text;  // what was taken: all of the value, or what stands before the error
  Shape shape = Shape::kOther;
  bool is_complete = false;
  bool ends_early = false;  // the input ends within the value
  // A list, or a value that is not complete, in which what may be a document stands.
  bool has_report_inside = false;
  bool has_content = false;  // more than a bracket was understood
  std::string error;         // of what is not complete: "line 3: ..."
};

JsonScan scan_json(input::TextInput& input);

}  // namespace vigil::tools::evidence
