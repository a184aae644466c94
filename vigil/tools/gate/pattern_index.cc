// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/pattern_index.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace vigil::tools::gate {
namespace {

constexpr std::string_view kWildcards = "*?";

// Calls visit(run) for each run of four bytes in the text.
template <class Visit>
void for_each_run(std::string_view text, Visit visit) {
  std::uint32_t run = 0;
  for (std::size_t at = 0; at + sizeof run <= text.size(); ++at) {
    std::memcpy(&run, text.data() + at, sizeof run);
    visit(run);
  }
}

// The same for what stands between the wildcards of a group.
template <class Visit>
void for_each_literal_run(const std::vector<std::string_view>& patterns, Visit visit) {
  for (std::string_view rest : patterns) {
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find_first_of(kWildcards), rest.size());
      for_each_run(rest.substr(0, end), visit);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
}

}  // namespace

void PatternIndex::add(std::vector<std::string_view> patterns) {
  groups_.push_back(std::move(patterns));
}

void PatternIndex::finish() {
  std::unordered_map<Run, std::uint64_t> counts;
  for (const auto& group : groups_) for_each_literal_run(group, [&](Run run) { ++counts[run]; });
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    Run rarest = 0;
    std::uint64_t least = 0;  // none yet
    for_each_literal_run(groups_[i], [&](Run run) {
      const std::uint64_t count = counts[run];
      if (least == 0 || count < least) {
        least = count;
        rarest = run;
      }
    });
    if (least == 0) {
      without_run_.push_back(i);
    } else {
      by_run_[rarest].push_back(i);
    }
  }
  groups_.clear();
}

std::vector<std::size_t> PatternIndex::candidates(
    const std::vector<std::string_view>& texts) const {
  std::vector<const std::vector<std::size_t>*> lists = {&without_run_};
  for (const std::string_view text : texts) {
    for_each_run(text, [&](Run run) {
      const auto found = by_run_.find(run);
      if (found != by_run_.end()) lists.push_back(&found->second);
    });
  }
  // A run may come again and again in a text.
  std::sort(lists.begin(), lists.end());
  lists.erase(std::unique(lists.begin(), lists.end()), lists.end());
  std::vector<std::size_t> result;
  for (const std::vector<std::size_t>* list : lists) {
    result.insert(result.end(), list->begin(), list->end());
  }
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace vigil::tools::gate
