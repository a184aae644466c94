// SPDX-License-Identifier: Apache-2.0
//
// Suppressions: findings that somebody answers for, until a date. A file is a sequence of
//
//   [[suppression]]
//   functions = ["cache.(*Users).Set", "cron.*"]   # one or both sides, in any order; * and ?
//   owner     = "alice@example.com"
//   reason    = "the map is replaced in the next release, see the change request"
//   expires   = 2027-01-31                          # the last day on which it counts
//
// Instead of, or besides, `functions`: `rule` ("data-race", or a scanner's rule), `file` (of any
// side), `fingerprint`. Everything given must match. Owner, reason and expires are required: a rule
// that nobody answers for outlives its reason.
//
// Thread safety: plain values; one Suppressions belongs to one thread (it counts uses).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/tools/gate/issue.h"

namespace vigil::tools::gate {

// The functions of an issue's sides as patterns know them: as reported, and as function_key() has
// them.
struct FunctionNames {
  struct Names {
    std::string reported;
    std::string key;
  };
  explicit FunctionNames(const Issue& issue);

  std::vector<Names> sides;
};

struct Suppression {
  std::vector<std::string> functions;
  std::string rule;
  std::string file;
  std::string fingerprint;
  std::string owner;
  std::string reason;
  std::chrono::year_month_day expires{};
  std::string origin;  // "suppressions.toml:12"
  std::uint64_t uses = 0;

  [[nodiscard]] bool matches(const Issue& issue, const FunctionNames& functions) const;
  [[nodiscard]] bool is_expired(std::chrono::year_month_day today) const { return today > expires; }
};

class Suppressions {
 public:
  // Adds those of one file.
  Result<void> add(std::string_view toml, std::string_view name);

  // Marks what is suppressed and counts uses. An expired suppression suppresses nothing.
  // Complexity: linear in the texts of both and in the suppressions that fit, or nearly so.
  void apply(std::chrono::year_month_day today, std::vector<Issue>* issues);

  [[nodiscard]] const std::vector<Suppression>& all() const { return all_; }

 private:
  std::vector<Suppression> all_;
};

// "2027-01-31", and back.
std::string to_text(std::chrono::year_month_day date);
Result<std::chrono::year_month_day> date_from(std::string_view text);

}  // namespace vigil::tools::gate
