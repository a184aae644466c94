// SPDX-License-Identifier: Apache-2.0
//
// A record or a mark of the log as a line for people, or as a JSON object.
//
// Thread safety: pure functions.
#pragma once

#include <string>

#include "vigil/log/log_reader.h"

namespace vigil::tools {

// With a line feed at the end.
[[nodiscard]] std::string text_line(const log::LoggedRecord& record, bool with_value);
[[nodiscard]] std::string text_line(const log::LoggedMark& mark);
[[nodiscard]] std::string json_line(const log::LoggedRecord& record, bool with_value);
[[nodiscard]] std::string json_line(const log::LoggedMark& mark);

}  // namespace vigil::tools
