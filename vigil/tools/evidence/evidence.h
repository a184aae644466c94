// SPDX-License-Identifier: Apache-2.0
//
// Reading evidence: logs of race detectors, crashes, dumps of threads, reports of tools. One small
// reader per format produces the model of vigil/report/report.h.
//
// Use when: a whole input becomes one value (read_evidence), or an input of any size is folded into
// something smaller while it is read (stream_evidence with a Sink). Use instead: LogReader
// (log_reader.h) for the output of a running program, which arrives in pieces; the reader of cores
// and processes (vigil/tools/triage/core_evidence.h) for what is not text.
//
// Formats: text is read by all text readers at once, because the log of a test run may hold
// reports of several kinds between lines of anything else. Documents (JSON, XML) are recognised by
// their beginning. ReadOptions::format restricts an input to one reader.
//
// Limits: text streams in memory that does not depend on its size; a line is cut at kLineBytesMax,
// a stack at kFramesMax frames. Documents that must be held at once may have kDocumentBytesMax.
//
// Thread safety: none of the objects is shared; different inputs may be read by different threads.
// Errors: an input that cannot be read or is of no known format gives an Error; damage inside a
// readable input gives warnings and `truncated`. No input, however hostile, aborts.
//
//   Result<report::Evidence> evidence = read_evidence("race.log", {});
//   if (!evidence) return evidence.error();
//   for (const report::Finding& finding : evidence->findings) show(finding);
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <istream>
#include <span>
#include <string>
#include <string_view>

#include "vigil/base/result.h"
#include "vigil/report/report.h"

namespace vigil::tools::evidence {

inline constexpr std::size_t kLineBytesMax = std::size_t{64} << 10;
inline constexpr std::size_t kFramesMax = 512;
inline constexpr std::size_t kDocumentBytesMax = std::size_t{256} << 20;
// Findings that differ in kind, operations or stacks; and threads that an Evidence holds.
inline constexpr std::size_t kFindingsMax = 20'000;
inline constexpr std::size_t kThreadsMax = 20'000;

struct Format {
  std::string_view name;     // "go-race"; Evidence::format, and the argument of --format
  std::string_view summary;  // one line of --list-formats
};

// In the order of --list-formats.
std::span<const Format> formats();

struct Progress {
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_total = 0;  // 0: unknown
};

struct ReadOptions {
  std::string format;  // a name of formats(); empty: detect
  // Called about once per megabyte.
  std::function<void(const Progress&)> progress;
};

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
  virtual void on_truncated() = 0;
};

// Findings that differ only in threads and addresses become one, with their occurrences added up.
// What exceeds kFindingsMax or kThreadsMax is counted in a warning.
Result<report::Evidence> read_evidence(const std::string& path, const ReadOptions& options);
Result<report::Evidence> read_evidence(std::istream& stream, const std::string& path,
                                       const ReadOptions& options);

// `path` may be "-" for the standard input.
Result<void> stream_evidence(const std::string& path, const ReadOptions& options, Sink& sink);
Result<void> stream_evidence(std::istream& stream, const std::string& path,
                             const ReadOptions& options, Sink& sink);

}  // namespace vigil::tools::evidence
