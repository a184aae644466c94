// SPDX-License-Identifier: Apache-2.0
//
// A finding as text for a person: what happened, both sides with their stacks and locks, what lies
// at the address, where the threads come from, and how to see it again.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "vigil/report/report.h"

namespace vigil::tools::race {

struct TextStyle {
  bool colour = false;
  std::string folder;  // left out of the paths of files below it
};

// The style for a stream: colour only on a terminal, paths from the current folder.
[[nodiscard]] TextStyle style_for(int file);

[[nodiscard]] std::string text_report(const report::Finding& finding, const TextStyle& style);

// "data race on 'counter'": the headline alone.
[[nodiscard]] std::string headline(const report::Finding& finding);

// "T2 'cleaner'".
[[nodiscard]] std::string thread_name(const report::Finding& finding, std::int64_t id);

// "cache.cc:45", the function where there is no line, or "an unknown place".
[[nodiscard]] std::string short_place(const report::Stack& stack);

}  // namespace vigil::tools::race
