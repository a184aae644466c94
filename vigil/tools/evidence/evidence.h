// SPDX-License-Identifier: Apache-2.0
//
// Reading evidence: logs of race detectors, crashes, dumps of threads, reports of tools. One small
// reader per format produces the model of vigil/report/report.h.
//
// Use when: a whole input becomes one value (read_evidence), or the files of an input of any size
// are folded into something smaller while they are read (read_part with a Sink, for each file that
// input::for_each_part finds). Use instead: LogReader (log_reader.h) for the output of a running
// program, which arrives in pieces; the reader of cores and processes
// (vigil/tools/core/core_evidence.h) for what is not text.
//
// Formats: text is read by all text readers at once, because the log of a test run may hold
// reports of several kinds between lines of anything else. Documents (JSON, XML) are recognised by
// their beginning, wherever a line of the text begins with it (mixed_text.h).
// ReadOptions::format restricts an input to one reader.
//
// Limits: text streams in memory that does not depend on its size; a line is cut at kLineBytesMax,
// a stack at kFramesMax frames. Documents that must be held at once may have kDocumentBytesMax.
//
// Thread safety: none of the objects is shared; different inputs may be read by different threads.
// Errors: an input that cannot be opened or read to its end gives an Error. What was read and not
// understood goes to Sink::on_damage, with its line, and the rest is read. No input, however
// hostile, aborts.
//
//   Result<report::Evidence> evidence = read_evidence("race.log", {});
//   if (!evidence) return evidence.error();
//   for (const report::Finding& finding : evidence->findings) show(finding);
#pragma once

#include <functional>
#include <istream>
#include <span>
#include <string>
#include <string_view>

#include "vigil/base/result.h"
#include "vigil/report/report.h"
#include "vigil/tools/evidence/sink.h"
#include "vigil/tools/input/parts.h"
#include "vigil/tools/input/text_input.h"

namespace vigil::tools::evidence {

struct Format {
  std::string_view name;     // "go-race"; Evidence::format, and the argument of --format
  std::string_view summary;  // one line of --list-formats
};

// In the order of --list-formats.
std::span<const Format> formats();

struct ReadOptions {
  std::string format;  // a name of formats(); empty: detect
  // Sees the text that the readers see: what else is to be learned from it needs no second reading.
  input::TextInput::OnText on_text;
  // Reads a SARIF document in the place of the reader that makes findings of its results.
  std::function<Result<void>(const std::string& text)> on_sarif;
};

// Reads one file of an input. Error: it cannot be read to its end ("line 12: ...").
Result<void> read_part(input::Part& part, const ReadOptions& options, Sink& sink);

// Findings that differ only in threads and addresses become one, with their occurrences added up.
// What exceeds kFindingsMax or kThreadsMax is counted in a warning. `path` may be "-" for the
// standard input. Error: something was not read, or not understood.
Result<report::Evidence> read_evidence(const std::string& path, const ReadOptions& options);
Result<report::Evidence> read_evidence(std::istream& stream, const std::string& path,
                                       const ReadOptions& options);

}  // namespace vigil::tools::evidence
