// SPDX-License-Identifier: Apache-2.0
//
// Baseline: the issues that were there before the gate was; they are reported, and do not block.
// A JSON file under version control, sorted by fingerprint with one entry per line, so that two
// branches merge:
//
//   {"vigil_baseline": 1, "issues": [
//   {"fingerprint": "5c..", "since": "2026-11-02", "rule": "data-race", "title": "..."}
//   ]}
//
// Only the fingerprint decides; the other fields are for people.
//
// Thread safety: a plain value.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/tools/gate/issue.h"

namespace vigil::tools::gate {

class Baseline {
 public:
  struct Entry {
    std::string since;  // ISO date
    std::string rule;
    std::string title;

    friend bool operator==(const Entry&, const Entry&) = default;
  };

  static Result<Baseline> parse(std::string_view json, std::string_view name);

  // A baseline of `issues` that are not suppressed; those known to this one keep their dates.
  [[nodiscard]] Baseline updated(const std::vector<Issue>& issues,
                                 std::chrono::year_month_day today) const;

  // Marks the new issues that are known.
  void apply(std::vector<Issue>* issues) const;

  // Entries that no issue has: fixed, or not met in this run.
  [[nodiscard]] std::vector<Entry> not_met(const std::vector<Issue>& issues) const;

  [[nodiscard]] std::string to_json() const;
  [[nodiscard]] const std::map<std::string, Entry>& entries() const { return entries_; }

  friend bool operator==(const Baseline&, const Baseline&) = default;

 private:
  std::map<std::string, Entry> entries_;  // by fingerprint
};

}  // namespace vigil::tools::gate
