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
// What the Sink is told about damage and doubts begins with the line: "line 12: ...".
//
// Thread safety: none. Errors: what a reader cannot understand goes to Sink::on_damage.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/tools/evidence/sink.h"

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

  // The next byte belongs to this line of the input: something else was in between.
  void at_line(std::uint64_t line) { line_ = line; }
  void feed(std::string_view bytes);
  // The text ends here. REQUIRES: called once, after the last feed().
  void finish();

  // Whether a reader recognised anything.
  [[nodiscard]] bool has_found() const;

  // Whether `format` is one that this class reads.
  static bool reads(std::string_view format);

 private:
  class LineSink;

  void line(std::string_view text);
  void end_partial();

  std::unique_ptr<LineSink> line_sink_;
  std::vector<std::unique_ptr<LineHandler>> handlers_;
  std::string partial_;  // the line that has no end yet
  std::string without_colours_;
  std::uint64_t line_ = 1;
  std::uint64_t cut_lines_ = 0;
  bool is_cut_ = false;  // the line that has no end yet
};

}  // namespace vigil::tools::evidence
