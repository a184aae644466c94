// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/triage/groups.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "vigil/base/hash.h"
#include "vigil/tools/evidence/map_operation.h"

namespace vigil::tools::triage {

namespace {

std::uint64_t identity_of(const report::Stack& stack) {
  std::string text;
  for (const report::Frame& frame : stack) {
    text.append(frame.function).append("\n").append(frame.file).append(":");
    text.append(std::to_string(frame.line)).append("\n");
    if (frame.function.empty()) {
      text.append(frame.module).append("+").append(std::to_string(frame.address)).append("\n");
    }
  }
  return xxh3(text);
}

}  // namespace

void GroupTable::add(report::Thread&& thread, std::uint64_t count) {
  threads_ += count;
  const std::uint64_t identity = identity_of(thread.stack);
  auto known = index_of_.find(identity);
  if (known == index_of_.end()) {
    if (groups_.size() == kGroupsMax) return;
    known = index_of_.emplace(identity, groups_.size()).first;
    Group& group = groups_.emplace_back();
    group.stack = std::move(thread.stack);
    group.created_at = std::move(thread.created_at);
  }
  Group& group = groups_[known->second];
  group.count += count;
  if (thread.id >= 0 && group.threads.size() < kThreadsListed) group.threads.push_back(thread.id);
  if (group.name.empty()) group.name = std::move(thread.name);
  constexpr std::size_t kStatesMax = 16;
  if (!thread.state.empty() && group.states.size() < kStatesMax) {
    group.states[std::move(thread.state)] += count;
  }
}

std::vector<Group> GroupTable::sorted(const layers::Rules& rules) const {
  std::vector<Group> sorted = groups_;
  for (Group& group : sorted) {
    group.operation = evidence::map_operation(group.stack);
    group.layer = rules.attribute(group.stack, group.created_at).layer;
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const Group& a, const Group& b) {
    const bool a_is_in_map = a.operation != report::Operation::kUnknown;
    const bool b_is_in_map = b.operation != report::Operation::kUnknown;
    return std::tuple(!a_is_in_map, b.count) < std::tuple(!b_is_in_map, a.count);
  });
  return sorted;
}

}  // namespace vigil::tools::triage
