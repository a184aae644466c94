// SPDX-License-Identifier: Apache-2.0
//
// Findings that the user does not want to see, in the syntax of ThreadSanitizer's files:
//
//   # why, and until when
//   race:Metrics::increment       a function, file, module or variable of either stack
//   race_top:third_party/*.cc     the innermost frame only
//   called_from_lib:libfoo.so     the access is in the library or called from it directly
//   deadlock:Registry             deadlocks, lost wake-ups, livelocks and the order of locks
//   mutex:Registry                misuse of locks, their order with it
//   crash:^main$                  crashes (this one is vigil's own)
//
// `thread` and `signal` are accepted as well. A pattern matches anywhere in the name; * is
// any text, ^ and $ tie it to the start and the end. Lines that suppressed nothing are told, so
// that a file does not outlive its reasons.
//
// Thread safety: none (uses are counted).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/report/report.h"

namespace vigil::tools::race {

class Suppressions {
 public:
  // Adds the lines of a text; `name` is for messages. An unknown type is an error.
  Result<void> add(std::string_view text, std::string_view name);
  Result<void> add_file(const std::string& path);

  // Whether some line wants the finding suppressed; counts it as a use of that line.
  bool suppress(const report::Finding& finding);

  // "race:Cache::get (suppressions.txt:3)" for each line without a use.
  [[nodiscard]] std::vector<std::string> unused() const;
  // Findings suppressed so far.
  [[nodiscard]] std::uint64_t uses() const;

 private:
  enum class Type : std::uint8_t {
    kRace,
    kRaceTop,
    kCalledFromLib,
    kDeadlock,
    kMutex,
    kCrash,
    kOther
  };
  struct Line {
    Type type = Type::kOther;
    std::string text;
    std::string wildcard;
    std::string origin;
    std::uint64_t uses = 0;
  };

  static bool names(std::string_view name, Type* type);
  static bool matches(const Line& line, const report::Finding& finding);

  std::vector<Line> lines_;
};

// The pattern of a line, of which only *, ^ and $ are special, as a wildcard for the whole name:
// "Cache" as "*Cache*", "^main$" as "main".
[[nodiscard]] std::string suppression_wildcard(std::string_view pattern);

// Whether a name that is known matches it.
[[nodiscard]] bool suppression_matches(std::string_view wildcard, std::string_view text);

}  // namespace vigil::tools::race
