// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/evidence/evidence.h"

#include <algorithm>
#include <array>
#include <utility>

#include "vigil/tools/evidence/collector.h"
#include "vigil/tools/evidence/mixed_text.h"

namespace vigil::tools::evidence {

namespace {

constexpr std::array kFormats = {
    Format{"vigil-race", "JSON of `vigil race run --json`"},
    Format{"vigil-dump", "thread dump of vigil::install_thread_dump() and vigild's /debug/threads"},
    Format{"tsan", "ThreadSanitizer of g++ and clang, symbolised or not"},
    Format{"go-race", "reports of Go's race detector (go test -race, GORACE=log_path)"},
    Format{"go-test-json", "go test -json, with -race or with crashes inside"},
    Format{"go-dump",
           "Go crashes (fatal error: concurrent map writes) and goroutine dumps: "
           "SIGQUIT, runtime.Stack, pprof debug=2"},
    Format{"go-pprof", "goroutine profile of pprof, debug=1"},
    Format{"gdb", "gdb -batch -ex \"thread apply all bt\""},
    Format{"eu-stack", "eu-stack of a process or core"},
    Format{"valgrind-xml", "helgrind and drd with --xml=yes"},
    Format{"sarif", "SARIF 2.1.0 of any tool"},
};

std::string names_of_formats() {
  std::string names;
  for (const Format& format : kFormats) names.append(names.empty() ? "" : ", ").append(format.name);
  return names;
}

bool is_known(std::string_view name) {
  return std::any_of(kFormats.begin(), kFormats.end(),
                     [&](const Format& format) { return format.name == name; });
}

std::string why_binary() {
  return "is binary and of no known format; known: " + names_of_formats() +
         ", and in triage core files";
}

// What is to be said about the text as such.
void judge_text(const input::TextInput& text, bool is_in_archive, Sink& sink) {
  if (text.zero_bytes() > 0) {
    sink.on_warning("line " + std::to_string(text.first_zero_line()) +
                    ": zero bytes were passed over, " + std::to_string(text.zero_bytes()) +
                    " from here on");
  }
  if (text.binary_line()) {
    sink.on_damage("line " + std::to_string(*text.binary_line()) + ": " + why_binary());
  }
  // An archive may hold the empty output of something; an input that is empty got lost.
  if (text.is_empty() && !is_in_archive && !text.error()) {
    sink.on_damage(text.zero_bytes() > 0 ? "holds nothing but zero bytes" : "is empty");
  }
}

Error failed_in_line(const input::TextInput& text) {
  return Error{"line " + std::to_string(text.line()) + ": " + text.error()->message};
}

}  // namespace

std::span<const Format> formats() { return kFormats; }

Result<void> read_part(input::Part& part, const ReadOptions& options, Sink& sink) {
  if (!options.format.empty() && !is_known(options.format)) {
    return Error{"unknown format \"" + options.format + "\"; known: " + names_of_formats()};
  }
  input::TextInput text(part.content, options.on_text);
  text.ahead();
  const bool is_program = text.binary_line() == 1;
  if (!is_program) MixedText(text, options.format, options.on_sarif, sink).read();
  judge_text(text, part.is_in_archive, sink);
  if (text.error()) return failed_in_line(text);
  return {};
}

namespace {

Result<report::Evidence> evidence_of(Collector collector, const Result<void>& done) {
  if (!done) return done.error();
  report::Evidence evidence = collector.take();
  if (!collector.damage().empty()) {
    return Error{evidence.path + ": " + collector.damage().front()};
  }
  return evidence;
}

}  // namespace

Result<report::Evidence> read_evidence(std::istream& stream, const std::string& path,
                                       const ReadOptions& options) {
  Collector collector(path);
  input::StreamSource source(stream);
  const Result<void> done = input::for_each_part(
      source, path, [&](input::Part& part) { return read_part(part, options, collector); });
  return evidence_of(std::move(collector), done);
}

Result<report::Evidence> read_evidence(const std::string& path, const ReadOptions& options) {
  Collector collector(path);
  const Result<void> done = input::for_each_part(
      path, {}, [&](input::Part& part) { return read_part(part, options, collector); });
  return evidence_of(std::move(collector), done);
}

}  // namespace vigil::tools::evidence
