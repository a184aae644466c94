// SPDX-License-Identifier: Apache-2.0
//
// Reads the binary records that the runtime wrote (vigil/report/record.h) into plain values:
// addresses and numbers as they are, grouped by process and finding.
//
// The stream may come from a program that was killed or that overwrote its own memory: any bytes
// are read as far as they make sense. A record cut short or of an impossible size ends the reading
// (`truncated`), one whose body is too small for its kind is passed over and counted (`damaged`).
//
// Thread safety: pure. Complexity: linear; memory is bounded by the size of the stream.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "vigil/report/record.h"
#include "vigil/tools/symbolize/symbolizer.h"

namespace vigil::tools::race {

using ReturnAddresses = std::vector<std::uint64_t>;

// One finding with the records that belong to it, in their order.
struct RecordedFinding {
  report::FindingRecord finding{};
  std::vector<report::AccessRecord> accesses;
  std::vector<report::WaiterRecord> waiters;
  std::vector<report::LockRecord> locks;
  std::optional<report::LocationRecord> location;
};

// What one process of the program wrote.
struct RecordedProcess {
  report::StartRecord start{};
  std::vector<Module> modules;
  std::unordered_map<report::StackId, ReturnAddresses> stacks;
  std::unordered_map<std::uint32_t, report::ThreadRecord> threads;
  std::vector<RecordedFinding> findings;
  std::vector<report::DecisionRecord> decisions;
  std::vector<std::string> notes;
  std::vector<std::string> suppressions;  // the program's own
  std::optional<report::SummaryRecord> summary;
  std::uint64_t events = 0;

  // Empty for a stack that was not recorded.
  [[nodiscard]] const ReturnAddresses& stack(report::StackId id) const;
  // The module that holds the address, or nullptr.
  [[nodiscard]] const Module* module_at(std::uint64_t address) const;
  // nullptr if it was not recorded.
  [[nodiscard]] const report::ThreadRecord* thread(std::uint32_t number) const;
};

struct Recording {
  std::vector<RecordedProcess> processes;  // the program, then its forked children
  bool truncated = false;
  std::uint64_t damaged = 0;

  // Whether an instrumented program wrote anything at all.
  [[nodiscard]] bool started() const { return !processes.empty(); }
  [[nodiscard]] bool has_findings() const;
};

[[nodiscard]] Recording read_records(std::string_view bytes);

// A text of fixed size that a zero byte may end earlier.
template <std::size_t kSize>
[[nodiscard]] std::string text_of(const char (&field)[kSize]) {
  const std::string_view whole(field, kSize);
  return std::string(whole.substr(0, whole.find('\0')));
}

}  // namespace vigil::tools::race
