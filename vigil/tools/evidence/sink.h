// SPDX-License-Identifier: Apache-2.0
//
// Sink: what readers of evidence write to, and the limits that they keep.
//
// Thread safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "vigil/report/report.h"

namespace vigil::tools::evidence {

inline constexpr std::size_t kLineBytesMax = std::size_t{64} << 10;
inline constexpr std::size_t kFramesMax = 512;
inline constexpr std::size_t kDocumentBytesMax = std::size_t{256} << 20;
// Findings that differ in kind, operations or stacks; and threads that an Evidence holds.
inline constexpr std::size_t kFindingsMax = 20'000;
inline constexpr std::size_t kThreadsMax = 20'000;

// What readers write to. The order of calls is the order in the input, except that a crash is
// reported after the threads of its dump.
class Sink {
 public:
  virtual ~Sink() = default;

  // A reader found its format. Called at least once per readable input, and again when a log holds
  // reports of another kind.
  virtual void on_format(std::string_view name) = 0;
  virtual void on_finding(report::Finding&& finding) = 0;
  // `count` threads that the input does not tell apart.
  virtual void on_thread(report::Thread&& thread, std::uint64_t count) = 0;
  // A line that proves that a detector ran.
  virtual void on_proof(std::string_view line) = 0;
  virtual void on_program(std::string_view program) = 0;
  virtual void on_warning(std::string message) = 0;
  // Something was not understood, so what it held is not known: whatever else was found, the input
  // is neither clean nor passed. "line 12: ..."
  virtual void on_damage(std::string message) = 0;
  // The input ends in the middle of a report.
  virtual void on_truncated() = 0;
};

}  // namespace vigil::tools::evidence
