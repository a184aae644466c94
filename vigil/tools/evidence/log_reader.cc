// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/evidence/log_reader.h"

#include <array>
#include <cstddef>

#include "vigil/tools/evidence/line_handler.h"
#include "vigil/tools/evidence/scanner.h"

namespace vigil::tools::evidence {

namespace {

struct TextFormat {
  std::string_view name;
  std::unique_ptr<LineHandler> (*make)(Sink& sink);
};

constexpr std::array kTextFormats = {
    TextFormat{"tsan", make_tsan_reader},
    TextFormat{"go-race", make_go_race_reader},
    TextFormat{"go-dump", make_go_dump_reader},
    TextFormat{"go-pprof", make_go_pprof_reader},
    TextFormat{"gdb", make_gdb_reader},
    TextFormat{"eu-stack", make_eu_stack_reader},
    TextFormat{"vigil-dump", make_vigil_dump_reader},
    // The last: its output is read by the ones above.
    TextFormat{"go-test-json", make_go_test_json_reader},
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "\x1b[1m\x1b[31m": colours. The text is copied only if there are any.
std::string_view without_colours(std::string_view text, std::string* buffer) {
  if (text.find('\x1b') == std::string_view::npos) return text;
  buffer->clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\x1b') {
      buffer->push_back(text[i]);
      continue;
    }
    if (i + 1 == text.size() || text[i + 1] != '[') continue;
    i += 2;
    while (i < text.size() && (text[i] < '@' || text[i] > '~')) ++i;
  }
  return *buffer;
}

// "2024-05-01T03:00:00.1234567Z " of a CI service or a container runtime.
bool skip_time_stamp(Scanner* scan) {
  constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd";
  const std::string_view text = scan->rest();
  if (text.size() <= kShape.size()) return false;
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    const bool fits = kShape[i] == 'd' ? is_digit(text[i]) : text[i] == kShape[i];
    if (!fits) return false;
  }
  const std::size_t space = text.find(' ', kShape.size());
  constexpr std::size_t kStampMax = 40;
  if (space == std::string_view::npos || space > kStampMax) return false;
  scan->accept(text.substr(0, space + 1));
  return true;
}

// What log collectors write in front of a line.
std::string_view without_prefix(std::string_view text) {
  if (text.empty() || (!is_digit(text.front()) && text.front() != '\xef')) return text;
  Scanner scan(text);
  scan.accept("\xef\xbb\xbf");
  if (skip_time_stamp(&scan)) {
    for (const std::string_view stream : {"stdout ", "stderr "}) {
      if (scan.accept(stream) && !scan.accept("F ")) scan.accept("P ");
    }
    return scan.rest();
  }
  // ctest -V: the number of the test.
  Scanner number(scan.rest());
  if (number.number() && number.accept(": ")) return number.rest();
  return scan.rest();
}

}  // namespace

// Adds the line to what is said about the text, and notes whether anything is found in it.
class LogReader::LineSink : public Sink {
 public:
  LineSink(Sink& sink, const std::uint64_t& line) : sink_(sink), line_(line) {}

  void on_format(std::string_view name) override {
    has_found_ = true;
    sink_.on_format(name);
  }
  void on_finding(report::Finding&& finding) override {
    has_found_ = true;
    sink_.on_finding(std::move(finding));
  }
  void on_thread(report::Thread&& thread, std::uint64_t count) override {
    has_found_ = true;
    sink_.on_thread(std::move(thread), count);
  }
  void on_proof(std::string_view line) override {
    has_found_ = true;
    sink_.on_proof(line);
  }
  void on_program(std::string_view program) override { sink_.on_program(program); }
  void on_warning(std::string message) override { sink_.on_warning(with_line(message)); }
  void on_damage(std::string message) override { sink_.on_damage(with_line(message)); }
  void on_truncated() override { sink_.on_truncated(); }

  [[nodiscard]] bool has_found() const { return has_found_; }

 private:
  [[nodiscard]] std::string with_line(const std::string& message) const {
    return "line " + std::to_string(line_) + ": " + message;
  }

  Sink& sink_;
  const std::uint64_t& line_;
  bool has_found_ = false;
};

LogReader::LogReader(Sink& sink, std::string_view format)
    : line_sink_(std::make_unique<LineSink>(sink, line_)) {
  for (const TextFormat& known : kTextFormats) {
    if (format.empty() || format == known.name) handlers_.push_back(known.make(*line_sink_));
  }
}

LogReader::LogReader(Sink& sink, Nested) {
  for (const TextFormat& known : kTextFormats) {
    if (known.make != make_go_test_json_reader) handlers_.push_back(known.make(sink));
  }
}

LogReader::~LogReader() = default;

bool LogReader::has_found() const { return line_sink_ != nullptr && line_sink_->has_found(); }

bool LogReader::reads(std::string_view format) {
  for (const TextFormat& known : kTextFormats) {
    if (known.name == format) return true;
  }
  return false;
}

void LogReader::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    const bool ends = end != std::string_view::npos;
    bytes.remove_prefix(ends ? end + 1 : bytes.size());
    if (ends && partial_.empty() && part.size() <= kLineBytesMax) {
      line(part);
      ++line_;
      continue;
    }
    const std::string_view kept = part.substr(0, kLineBytesMax - partial_.size());
    partial_.append(kept);
    is_cut_ = is_cut_ || kept.size() < part.size();
    if (!ends) continue;
    end_partial();
    ++line_;
  }
}

void LogReader::finish() {
  if (!partial_.empty()) end_partial();
  for (const std::unique_ptr<LineHandler>& handler : handlers_) handler->finish();
}

void LogReader::end_partial() {
  line(partial_);
  partial_.clear();
  if (is_cut_ && line_sink_ != nullptr && cut_lines_++ == 0) {
    line_sink_->on_warning("longer than " + std::to_string(kLineBytesMax >> 10) +
                           " KiB: the rest of such lines is not read");
  }
  is_cut_ = false;
}

void LogReader::line(std::string_view text) {
  if (text.ends_with('\r')) text.remove_suffix(1);
  text = without_prefix(without_colours(text, &without_colours_));
  for (const std::unique_ptr<LineHandler>& handler : handlers_) handler->line(text);
}

}  // namespace vigil::tools::evidence
