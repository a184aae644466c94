// SPDX-License-Identifier: Apache-2.0
//
// The findings of many schedules, each bug once: reports that agree in their kind and in the
// unordered pair of places (function and line of the first frame that is no library) are one.
//
// Thread safety: none. Complexity: O(frames) per finding.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>
#include <vector>

#include "vigil/report/report.h"

namespace vigil::tools::race {

// Whether the frame belongs to a library: the layers' rules say so, or its source lies where the
// system keeps headers and libraries.
[[nodiscard]] bool is_library(const report::Frame& frame);

// The first frame of the program's own code; the innermost one if all are library, nullptr if the
// stack is empty.
[[nodiscard]] const report::Frame* place_of(const report::Stack& stack);

// "Cache::put cache.cc:45", equal for equal places.
[[nodiscard]] std::string place_name(const report::Stack& stack);

// Equal for findings that are the same bug.
[[nodiscard]] std::string finding_key(const report::Finding& finding);

class FindingTable {
 public:
  // True if the finding is new; otherwise the known one has occurred once more.
  bool add(report::Finding finding);

  [[nodiscard]] const std::vector<report::Finding>& findings() const { return findings_; }
  [[nodiscard]] bool empty() const { return findings_.empty(); }

 private:
  std::vector<report::Finding> findings_;
  std::unordered_map<std::string, std::size_t> index_of_;
};

}  // namespace vigil::tools::race
