// SPDX-License-Identifier: Apache-2.0
//
// PatternIndex: which of many groups of wildcards may fit some texts, without trying each.
//
// A pattern that fits a text has its literal parts in that text. Of every group one run of four
// bytes is remembered, the one that the fewest groups have; a text is looked through once for all
// of them. A group without such a run ("*", "a?b") is always tried.
//
//   PatternIndex index;
//   for (const Rule& rule : rules) index.add({rule.function, rule.file});   // all must fit
//   index.finish();
//   for (const std::size_t i : index.candidates({function, file})) if (fits(rules[i])) ...
//
// Thread safety: immutable once finished. Memory: some words per group. Complexity: add() and
// finish() O(bytes of the patterns), candidates() O(bytes of the texts + candidates).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vigil::tools::gate {

class PatternIndex {
 public:
  // The next group, of which each pattern must fit some text. The patterns outlive finish().
  void add(std::vector<std::string_view> patterns);
  void finish();

  // Numbers of groups, ascending. Each that fits is among them.
  [[nodiscard]] std::vector<std::size_t> candidates(
      const std::vector<std::string_view>& texts) const;

 private:
  using Run = std::uint32_t;  // four bytes

  std::vector<std::vector<std::string_view>> groups_;  // until they are finished
  std::unordered_map<Run, std::vector<std::size_t>> by_run_;
  std::vector<std::size_t> without_run_;
};

}  // namespace vigil::tools::gate
