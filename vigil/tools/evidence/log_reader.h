// SPDX-License-Identifier: Apache-2.0
//
// LogReader: finds evidence in text that arrives in pieces, such as the output of a running test
// command. All text readers see every line; what none of them knows is passed over.
//
// Use instead: read_evidence (evidence.h) for a file.
//
//   Collector collector("ctest");
//   LogReader reader(collector);
//   while (read_some(&bytes)) reader.feed(bytes);
//   reader.finish();
//   report::Evidence evidence = collector.take();
//
// Before a reader sees a line, colours and what log collectors put in front (time stamps, "12: " of
// ctest -V, "stderr F ") are taken off.
//
// Thread safety: none. Errors: none; the Sink gets warnings.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/tools/evidence/evidence.h"

namespace vigil::tools::evidence {

class LineHandler;

class LogReader {
 public:
  // `format`: the name of one text format, or empty for all of them. The sink outlives the reader.
  explicit LogReader(Sink& sink, std::string_view format = {});
  // For the output of one package in `go test -json`: text that holds no such JSON.
  struct Nested {};
  LogReader(Sink& sink, Nested nested);
  ~LogReader();
  LogReader(const LogReader&) = delete;
  LogReader& operator=(const LogReader&) = delete;

  void feed(std::string_view bytes);
  // The text ends here. REQUIRES: called once, after the last feed().
  void finish();

  // Whether `format` is one that this class reads.
  static bool reads(std::string_view format);

 private:
  void line(std::string_view text);

  std::vector<std::unique_ptr<LineHandler>> handlers_;
  std::string partial_;  // the line that has no end yet
  std::string without_colours_;
};

}  // namespace vigil::tools::evidence
