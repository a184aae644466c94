// SPDX-License-Identifier: Apache-2.0
//
// GroupTable: the threads of a dump, those with equal stacks as one group. 255 goroutines are a
// page; seven groups are an answer.
//
// Equal are stacks with the same functions and lines. Groups inside of a map come first, then the
// largest.
//
// Thread safety: none. Memory: kGroupsMax groups; threads of further stacks are only counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "vigil/report/report.h"
#include "vigil/tools/layers/layers.h"

namespace vigil::tools::triage {

struct Group {
  std::uint64_t count = 0;
  std::vector<std::int64_t> threads;            // the first kThreadsListed that have a number
  std::map<std::string, std::uint64_t> states;  // and how many threads are in each
  std::string name;                             // of the first thread that has one
  report::Stack stack;
  report::Stack created_at;
  report::Operation operation = report::Operation::kUnknown;  // on a map
  layers::Layer layer = layers::Layer::kApplication;
};

class GroupTable {
 public:
  static constexpr std::size_t kGroupsMax = 20'000;
  static constexpr std::size_t kThreadsListed = 20;

  void add(report::Thread&& thread, std::uint64_t count);

  [[nodiscard]] std::uint64_t threads() const { return threads_; }
  // Sorted, with operations and layers.
  [[nodiscard]] std::vector<Group> sorted(const layers::Rules& rules) const;

 private:
  std::vector<Group> groups_;
  std::unordered_map<std::uint64_t, std::size_t> index_of_;  // by the hash of the stack
  std::uint64_t threads_ = 0;
};

}  // namespace vigil::tools::triage
