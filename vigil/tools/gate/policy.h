// SPDX-License-Identifier: Apache-2.0
//
// Policy: what blocks a change at which stage of the pipeline. default_policy.toml is built in and
// describes the keys.
//
// Thread safety: a plain value. Errors: a text that is no policy gives an Error that begins with
// "name:line: "; an unknown key is one, because a misspelt limit would let a race pass.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/base/result.h"

namespace vigil::tools::gate {

struct StagePolicy {
  std::string name;
  std::string detector;                     // what is expected to run, in words
  std::uint64_t event_chains_to_block = 1;  // 0: none blocks
  std::vector<std::string> scan_levels_to_block;
  std::vector<std::string> scan_rules_to_block;  // with wildcards

  friend bool operator==(const StagePolicy&, const StagePolicy&) = default;
};

struct Policy {
  bool stop_at_write_write = true;
  std::vector<StagePolicy> stages;  // in the order in which they run; names differ

  static Result<Policy> parse(std::string_view toml, std::string_view name);
  static std::string_view default_text();
  static Policy defaults();

  // The stage, or an Error that lists the stages there are.
  [[nodiscard]] Result<StagePolicy> stage(std::string_view name) const;

  friend bool operator==(const Policy&, const Policy&) = default;
};

// The policy in sentences: of one stage, or of all if `stage` is empty. REQUIRES: stage exists.
std::string explain(const Policy& policy, std::string_view stage);

}  // namespace vigil::tools::gate
