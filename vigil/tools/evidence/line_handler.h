// SPDX-License-Identifier: Apache-2.0
//
// LineHandler: a reader of one text format. It sees every line of a log, also those that belong to
// none or to another format, and recognises the beginning and the end of its own reports.
//
// Thread safety: none. Errors: what does not fit ends the report at hand; what belongs to the
// format and cannot be understood goes to Sink::on_damage.
#pragma once

#include <memory>
#include <string_view>

#include "vigil/tools/evidence/sink.h"

namespace vigil::tools::evidence {

class LineHandler {
 public:
  virtual ~LineHandler() = default;

  // `text` has no end of line and is at most kLineBytesMax long.
  virtual void line(std::string_view text) = 0;
  // The log ends.
  virtual void finish() = 0;
};

// ThreadSanitizer of g++ and clang, symbolised or not.
std::unique_ptr<LineHandler> make_tsan_reader(Sink& sink);
// Reports of Go's race detector.
std::unique_ptr<LineHandler> make_go_race_reader(Sink& sink);
// Crashes and goroutine dumps: `fatal error: ...`, `panic: ...`, SIGQUIT, runtime.Stack, pprof
// debug=2.
std::unique_ptr<LineHandler> make_go_dump_reader(Sink& sink);
// The goroutine profile of pprof, debug=1.
std::unique_ptr<LineHandler> make_go_pprof_reader(Sink& sink);
// `go test -json`: every package's output is a log of its own.
std::unique_ptr<LineHandler> make_go_test_json_reader(Sink& sink);
// `thread apply all bt` of gdb.
std::unique_ptr<LineHandler> make_gdb_reader(Sink& sink);
// eu-stack.
std::unique_ptr<LineHandler> make_eu_stack_reader(Sink& sink);
// The dump that a process makes of itself (vigil/thread_dump).
std::unique_ptr<LineHandler> make_vigil_dump_reader(Sink& sink);

}  // namespace vigil::tools::evidence
