// SPDX-License-Identifier: Apache-2.0
//
// What the arguments behind `vigil log` ask for.
//
// Thread safety: plain values.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "vigil/base/result.h"

namespace vigil::tools {

struct LogQuestion {
  enum class Action : std::uint8_t { kDump, kCheck, kRepair };

  Action action = Action::kCheck;
  std::string directory;
  std::string json;  // a path, - for the standard output; empty: text
  // Of dump.
  std::uint64_t from = 0;
  bool from_is_given = false;
  std::uint64_t limit = UINT64_MAX;
  bool values = false;
  bool marks = false;
};

// Nothing to do but to print *help if it was filled.
[[nodiscard]] Result<LogQuestion> parse_log_question(std::span<const char* const> arguments,
                                                     std::string* help);

}  // namespace vigil::tools
