// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/evidence/collector.h"

#include <algorithm>
#include <utility>

#include "vigil/base/hash.h"

namespace vigil::tools::evidence {

namespace {

constexpr std::size_t kWarningsMax = 100;

void append_stack(const report::Stack& stack, std::string* text) {
  for (const report::Frame& frame : stack) {
    text->append(frame.function).append("\n");
    text->append(frame.file).append(":").append(std::to_string(frame.line)).append("\n");
    // Not symbolised: the place in the module is what there is.
    if (frame.function.empty()) {
      text->append(frame.module).append("+").append(std::to_string(frame.address)).append("\n");
    }
  }
  text->append("\f");
}

// Equal for findings that differ only in threads, addresses of data and schedules.
std::uint64_t identity_of(const report::Finding& finding) {
  std::string text(report::to_string(finding.kind));
  text.append("\f").append(finding.location.object).append("\f");
  for (const report::Access& access : finding.accesses) {
    text.append(report::to_string(access.operation)).append("\n");
    append_stack(access.stack, &text);
  }
  // What has no access is told apart by its headline and threads: a deadlock, a leak.
  if (finding.accesses.empty()) {
    text.append(finding.message);
    for (const report::Thread& thread : finding.threads) append_stack(thread.stack, &text);
  }
  return xxh3(text);
}

}  // namespace

Collector::Collector(std::string path) { evidence_.path = std::move(path); }

void Collector::on_format(std::string_view name) {
  if (evidence_.format.empty()) evidence_.format = name;
}

void Collector::on_finding(report::Finding&& finding) {
  const std::uint64_t identity = identity_of(finding);
  if (const auto known = index_of_.find(identity); known != index_of_.end()) {
    evidence_.findings[known->second].occurrences += finding.occurrences;
    return;
  }
  if (evidence_.findings.size() == kFindingsMax) {
    ++findings_left_out_;
    return;
  }
  index_of_.emplace(identity, evidence_.findings.size());
  evidence_.findings.push_back(std::move(finding));
}

void Collector::on_thread(report::Thread&& thread, std::uint64_t count) {
  const std::uint64_t kept = std::min<std::uint64_t>(count, kThreadsMax - evidence_.threads.size());
  threads_left_out_ += count - kept;
  for (std::uint64_t i = 0; i < kept; ++i) evidence_.threads.push_back(thread);
}

void Collector::on_proof(std::string_view line) {
  if (!evidence_.detector_proof) evidence_.detector_proof = std::string(line);
}

void Collector::on_program(std::string_view program) {
  if (evidence_.program.empty()) evidence_.program = program;
}

void Collector::on_warning(std::string message) {
  if (evidence_.warnings.size() < kWarningsMax) evidence_.warnings.push_back(std::move(message));
}

void Collector::on_damage(std::string message) {
  if (damage_.size() < kWarningsMax) damage_.push_back(std::move(message));
}

void Collector::on_truncated() { evidence_.truncated = true; }

report::Evidence Collector::take() {
  if (findings_left_out_ > 0) {
    evidence_.warnings.push_back(std::to_string(findings_left_out_) +
                                 " findings beyond the first " + std::to_string(kFindingsMax) +
                                 " different ones were left out");
  }
  if (threads_left_out_ > 0) {
    evidence_.warnings.push_back(std::to_string(threads_left_out_) + " threads beyond the first " +
                                 std::to_string(kThreadsMax) + " were left out");
  }
  return std::move(evidence_);
}

}  // namespace vigil::tools::evidence
