// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/evidence/mixed_text.h"

#include <algorithm>
#include <array>

#include "vigil/tools/evidence/documents.h"

namespace vigil::tools::evidence {

namespace {

constexpr std::string_view kBlanks = " \t\r\n";

bool is_document_format(std::string_view format) {
  return format == "vigil-race" || format == "sarif" || format == "valgrind-xml";
}

bool begins_markup(std::string_view text) {
  constexpr std::array<std::string_view, 5> kBeginnings = {"<?xml", "<valgrindoutput", "<!DOCTYPE",
                                                           "<!doctype", "<html"};
  return std::any_of(kBeginnings.begin(), kBeginnings.end(),
                     [text](std::string_view beginning) { return text.starts_with(beginning); });
}

// "[" begins a list of documents at most; "[12:30:01] ", "[ RUN      ] " begin a line of a log.
bool begins_json(std::string_view text) {
  if (text.starts_with('{')) return true;
  const std::size_t inside = text.find_first_not_of(kBlanks, 1);
  return text.starts_with('[') && inside != std::string_view::npos && text[inside] == '{';
}

}  // namespace

MixedText::MixedText(input::TextInput& text, std::string_view format, const SarifReader& read_sarif,
                     Sink& sink)
    : text_(text), format_(format), read_sarif_(read_sarif), sink_(sink), log_(sink, format) {}

std::string MixedText::line_text() const { return "line " + std::to_string(text_.line()) + ": "; }

void MixedText::read() {
  if (is_document_format(format_)) {
    read_documents_only();
  } else {
    read_everything();
  }
}

void MixedText::read_documents_only() {
  for (skip_blanks(); !text_.ahead().empty(); skip_blanks()) {
    const std::string where = line_text();
    has_documents_ = false;
    if (read_document() && has_documents_) continue;
    sink_.on_damage(where + "what begins here is no " + std::string(format_) + " document");
    return;
  }
  if (!has_documents_) sink_.on_damage("holds no " + std::string(format_) + " document");
}

void MixedText::read_everything() {
  const bool has_documents = format_.empty();
  if (has_documents) skip_blanks();
  while (!text_.ahead().empty()) {
    if (has_documents && is_at_line_begin_ && read_document()) continue;
    take_lines();
  }
  log_.finish();
  if (has_text_ || !has_documents_) sink_.on_format(format_.empty() ? "log" : format_);
  if (has_documents_ || log_.has_found()) return;
  if (strange_beginning_) sink_.on_damage(*strange_beginning_);
  if (strange_document_) sink_.on_damage(*strange_document_);
}

bool MixedText::read_document() {
  constexpr std::size_t kBytesToTell = 32;
  const std::string_view ahead = text_.ahead(kBytesToTell);
  const bool is_xml_wanted = format_.empty() || format_ == "valgrind-xml";
  if (begins_json(ahead) && (format_.empty() || !is_xml_wanted)) {
    if (!is_at_beginning() && is_line_of_other_json()) return false;
    read_json();
    return true;
  }
  if (!begins_markup(ahead) || !is_xml_wanted) return false;
  read_xml();
  return true;
}

// A log may have a JSON record in every line: most are told by a glance.
bool MixedText::is_line_of_other_json() {
  const std::string_view ahead = text_.ahead();
  const std::size_t end = ahead.find('\n');
  if (end == std::string_view::npos) return false;
  const std::string_view line = ahead.substr(0, ahead.find_last_not_of(kBlanks, end) + 1);
  return line.ends_with('}') && line.find("\"runs\"") == std::string_view::npos &&
         line.find("\"findings\"") == std::string_view::npos;
}

void MixedText::read_json() {
  const std::string where = line_text();
  const bool is_beginning = is_at_beginning();
  const JsonScan scan = scan_json(text_);
  if (scan.shape != JsonScan::Shape::kOther) return read_known(scan, where);
  feed(scan.text);
  if (scan.has_report_inside) {
    sink_.on_damage(where + "JSON with a report inside, which is not read");
  } else if (scan.is_complete) {
    if (is_beginning) strange_document_ = where + "JSON of no known format";
  } else if (scan.ends_early && scan.has_content) {
    sink_.on_warning(scan.error);
    sink_.on_truncated();
  } else if (is_beginning && scan.has_content) {
    strange_beginning_ = scan.error;
  }
}

void MixedText::read_known(const JsonScan& scan, const std::string& where) {
  const bool is_sarif = scan.shape == JsonScan::Shape::kSarif;
  if (!format_.empty() && is_sarif != (format_ == "sarif")) return;
  end_document();
  if (!scan.is_complete) return sink_.on_damage(scan.error);
  const Result<void> read = !is_sarif     ? read_vigil_json(scan.text, sink_)
                            : read_sarif_ ? read_sarif_(scan.text)
                                          : read_sarif(scan.text, sink_);
  if (!read) sink_.on_damage(where + read.error().message);
}

void MixedText::read_xml() {
  const std::string where = line_text();
  const bool is_beginning = is_at_beginning();
  std::string taken;
  if (!text_.ahead().starts_with("<!") && read_valgrind_xml(text_, &taken, sink_)) {
    return end_document();
  }
  // At least the bracket, so that the same is not tried again.
  if (taken.empty()) {
    taken = "<";
    text_.take(taken.size());
  }
  feed(taken);
  if (is_beginning) strange_beginning_ = where + "XML or HTML of no known format";
}

void MixedText::end_document() {
  has_documents_ = true;
  is_at_line_begin_ = true;
  skip_blanks();
}

// Up to the beginning of a line that may be a document's.
void MixedText::take_lines() {
  const std::string_view ahead = text_.ahead();
  std::size_t end = 0;
  do {
    end = std::min(ahead.find('\n', end), ahead.size() - 1) + 1;
  } while (end < ahead.size() && ahead[end] != '{' && ahead[end] != '[' && ahead[end] != '<');
  const bool ends_line = ahead[end - 1] == '\n';
  feed(ahead.substr(0, end));
  text_.take(end);
  is_at_line_begin_ = ends_line;
}

void MixedText::skip_blanks() {
  for (std::string_view ahead = text_.ahead(); !ahead.empty(); ahead = text_.ahead()) {
    const std::size_t end = std::min(ahead.find_first_not_of(kBlanks), ahead.size());
    text_.take(end);
    if (end < ahead.size()) break;
  }
  log_.at_line(text_.line());
}

// REQUIRES: the bytes are ahead, or were just taken.
void MixedText::feed(std::string_view bytes) {
  if (bytes.find_first_not_of(kBlanks) != std::string_view::npos) {
    has_text_ = true;
    strange_document_.reset();
  }
  is_at_line_begin_ = bytes.ends_with('\n');
  log_.feed(bytes);
}

}  // namespace vigil::tools::evidence
