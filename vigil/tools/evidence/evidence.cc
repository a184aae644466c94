// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/evidence/evidence.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <system_error>
#include <utility>

#include "vigil/tools/evidence/collector.h"
#include "vigil/tools/evidence/documents.h"
#include "vigil/tools/evidence/input.h"
#include "vigil/tools/evidence/log_reader.h"

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

// The first character that is no space, 0 if there is none.
char first_character(std::string_view head) {
  if (head.starts_with("\xef\xbb\xbf")) head.remove_prefix(3);
  const std::size_t at = head.find_first_not_of(" \t\r\n");
  return at == std::string_view::npos ? '\0' : head[at];
}

// The document that begins like this; empty: text.
std::string_view detect(std::string_view head) {
  const char first = first_character(head);
  if (first == '<') {
    const bool is_xml = head.find("<?xml") != head.npos || head.find("<valgrind") != head.npos;
    return is_xml ? "valgrind-xml" : "";
  }
  if (first != '{') return "";
  const std::string_view line = head.substr(0, head.find('\n', head.find('{')));
  if (line.find("\"Action\":") != line.npos) return "";  // go test -json
  const std::string_view start = head.substr(0, 4096);
  const bool is_sarif = start.find("\"runs\"") != start.npos || start.find("sarif") != start.npos;
  return is_sarif ? "sarif" : "vigil-race";
}

// Text has no zero bytes, not even in a log with a few broken lines.
bool is_binary(std::string_view head) { return head.find('\0') != std::string_view::npos; }

Result<void> read_log(Input& input, std::string_view format, Sink& sink) {
  LogReader reader(sink, format);
  for (std::string_view piece = input.read(); !piece.empty(); piece = input.read()) {
    reader.feed(piece);
  }
  reader.finish();
  sink.on_format(format.empty() ? "log" : format);
  return {};
}

Result<void> read_input(Input& input, const std::string& wanted, Sink& sink) {
  if (!wanted.empty() && !is_known(wanted)) {
    return Error{"unknown format \"" + wanted + "\"; known: " + names_of_formats()};
  }
  const std::string_view head = input.head();
  if (input.failed()) return Error{"cannot be read"};
  if (is_binary(head)) {
    return Error{"is binary and of no known format; known: " + names_of_formats() +
                 ", and core files"};
  }
  const std::string format = wanted.empty() ? std::string(detect(head)) : wanted;
  if (format == "vigil-race") return read_vigil_json(input, sink);
  if (format == "sarif") return read_sarif(input, sink);
  if (format == "valgrind-xml") return read_valgrind_xml(input, sink);
  return read_log(input, format, sink);
}

}  // namespace

std::span<const Format> formats() { return kFormats; }

Result<void> stream_evidence(std::istream& stream, const std::string& path,
                             const ReadOptions& options, Sink& sink) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  Input input(stream, error ? 0 : size, options);
  Result<void> done = read_input(input, options.format, sink);
  if (done && input.failed()) done = Error{"cannot be read to its end"};
  return done ? done : Error{path + ": " + done.error().message};
}

Result<void> stream_evidence(const std::string& path, const ReadOptions& options, Sink& sink) {
  if (path == "-") return stream_evidence(std::cin, "standard input", options, sink);
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return Error{path + ": is a folder"};
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) return Error{path + ": " + std::strerror(errno)};
  return stream_evidence(file, path, options, sink);
}

Result<report::Evidence> read_evidence(std::istream& stream, const std::string& path,
                                       const ReadOptions& options) {
  Collector collector(path);
  if (Result<void> done = stream_evidence(stream, path, options, collector); !done) {
    return done.error();
  }
  return collector.take();
}

Result<report::Evidence> read_evidence(const std::string& path, const ReadOptions& options) {
  Collector collector(path);
  if (Result<void> done = stream_evidence(path, options, collector); !done) return done.error();
  return collector.take();
}

}  // namespace vigil::tools::evidence
