// SPDX-License-Identifier: Apache-2.0
//
// What proves that a race detector ran. Zero reports are good news only then: a build without
// -race, a program without -fsanitize=thread and a log from another day have zero reports as well.
//
// From the command: `go test -race` (or -race in GOFLAGS), an executable that was compiled with
// ThreadSanitizer or Go's race detector, valgrind's helgrind or drd, a preloaded runtime. From the
// output: what the readers of vigil/tools/evidence recognise (reports, banners, summaries).
//
// Thread safety: pure functions of their arguments and the files they name.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::tools::gate {

// Gives the value of an environment variable, empty if it is not set.
using Environment = std::function<std::string(const char*)>;

// "x_test is compiled with ThreadSanitizer"; nullopt: the command proves nothing.
std::optional<std::string> proof_of_command(const std::vector<std::string>& arguments,
                                            const Environment& environment);

// A reason why the detector's reports do not appear although it runs:
// TSAN_OPTIONS=report_bugs=0.
std::optional<std::string> switched_off_by(const Environment& environment);

// Where detectors write their reports instead of the standard error: log_path of TSAN_OPTIONS and
// GORACE. The detector appends ".PID".
std::vector<std::string> log_paths_of(const Environment& environment);

enum class Instrumentation { kNone, kThreadSanitizer, kGoRaceDetector };

// Of an ELF file; kNone also for what is no ELF file or cannot be read.
Instrumentation instrumentation_of(const std::string& path);

// "WARNING: DATA RACE", "WARNING: ThreadSanitizer: data race", "race detected during execution".
bool is_race_headline(std::string_view line);

// "+ go test -race ./...", as `set -x` and CI systems print commands.
bool shows_go_race_command(std::string_view line);

}  // namespace vigil::tools::gate
