// SPDX-License-Identifier: Apache-2.0
//
// Collector: a Sink that makes one report::Evidence of an input. Findings that differ only in
// threads, addresses and schedules become one, with their occurrences added up.
//
// Use instead: a Sink of your own where threads are folded further.
//
// Memory: at most kFindingsMax findings and kThreadsMax threads, whatever the input.
// Thread safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "vigil/report/report.h"
#include "vigil/tools/evidence/sink.h"

namespace vigil::tools::evidence {

class Collector : public Sink {
 public:
  explicit Collector(std::string path);

  void on_format(std::string_view name) override;
  void on_finding(report::Finding&& finding) override;
  void on_thread(report::Thread&& thread, std::uint64_t count) override;
  void on_proof(std::string_view line) override;
  void on_program(std::string_view program) override;
  void on_warning(std::string message) override;
  void on_damage(std::string message) override;
  void on_truncated() override;

  // What was not understood.
  [[nodiscard]] const std::vector<std::string>& damage() const { return damage_; }
  // What was collected. REQUIRES: called once, at the end.
  [[nodiscard]] report::Evidence take();

 private:
  report::Evidence evidence_;
  std::vector<std::string> damage_;
  std::unordered_map<std::uint64_t, std::size_t> index_of_;  // by what makes findings equal
  std::uint64_t findings_left_out_ = 0;
  std::uint64_t threads_left_out_ = 0;
};

}  // namespace vigil::tools::evidence
