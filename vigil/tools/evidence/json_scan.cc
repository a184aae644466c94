// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/evidence/json_scan.h"

#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

#include <string_view>

#include "vigil/tools/evidence/sink.h"

namespace vigil::tools::evidence {

namespace {

// RapidJSON's stream concept. The end of the text is a zero byte, which the text does not have.
class Stream {
 public:
  using Ch = char;

  Stream(input::TextInput& input, std::string* taken) : input_(input), taken_(*taken) {}

  // RapidJSON prescribes these names.
  // NOLINTBEGIN(readability-identifier-naming)
  Ch Peek() {
    if (at_ == piece_.size()) next_piece();
    return at_ == piece_.size() ? '\0' : piece_[at_];
  }
  Ch Take() {
    const Ch byte = Peek();
    if (at_ < piece_.size()) ++at_;
    return byte;
  }
  [[nodiscard]] std::size_t Tell() const { return taken_.size() + at_; }
  Ch* PutBegin() { return nullptr; }
  void Put(Ch /*byte*/) {}
  std::size_t PutEnd(Ch* /*begin*/) { return 0; }
  // NOLINTEND(readability-identifier-naming)

  // Gives back what was not taken. Nothing is read afterwards.
  void finish() {
    taken_.append(piece_.substr(0, at_));
    input_.take(at_);
    piece_ = {};
    at_ = 0;
  }

 private:
  void next_piece() {
    finish();
    if (taken_.size() < kDocumentBytesMax) piece_ = input_.ahead();
  }

  input::TextInput& input_;
  std::string& taken_;
  std::string_view piece_;  // what is ahead; up to at_ it counts as taken
  std::size_t at_ = 0;
};

// Looks at the keys of the outermost object, and for such objects further inside.
class Keys : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Keys> {
 public:
  // What comes last is missing if the value is not complete.
  [[nodiscard]] JsonScan::Shape shape(bool is_complete) const {
    if (has_runs_) return JsonScan::Shape::kSarif;
    const bool is_vigil = has_findings_ && (has_origin_ || !is_complete);
    return is_vigil ? JsonScan::Shape::kVigil : JsonScan::Shape::kOther;
  }
  [[nodiscard]] bool has_report_inside(bool is_complete) const {
    return has_inner_ && (is_list_ || !is_complete);
  }
  [[nodiscard]] bool has_content() const { return events_ > 1; }

  bool Default() {
    ++events_;
    key_.clear();
    return true;
  }
  bool Key(const char* text, rapidjson::SizeType size, bool /*copy*/) {
    ++events_;
    key_.assign(text, size);
    // A run says how many schedules it had, one input of triage its format.
    has_origin_ = has_origin_ || (depth_ == 1 && (key_ == "schedules" || key_ == "format"));
    return true;
  }
  bool StartObject() { return open(); }
  bool StartArray() {
    const bool is_list_of_reports = key_ == "runs" || key_ == "findings";
    is_list_ = is_list_ || depth_ == 0;
    has_runs_ = has_runs_ || (depth_ == 1 && key_ == "runs");
    has_findings_ = has_findings_ || (depth_ == 1 && key_ == "findings");
    has_inner_ = has_inner_ || (depth_ > 1 && is_list_of_reports);
    return open();
  }
  bool EndObject(rapidjson::SizeType /*members*/) { return close(); }
  bool EndArray(rapidjson::SizeType /*elements*/) { return close(); }

 private:
  bool open() {
    ++depth_;
    return Default();
  }
  bool close() {
    --depth_;
    return Default();
  }

  std::uint64_t events_ = 0;
  std::uint64_t depth_ = 0;
  std::string key_;  // whose value comes next
  bool is_list_ = false;
  bool has_inner_ = false;  // runs or findings of an inner object
  bool has_runs_ = false;
  bool has_findings_ = false;
  bool has_origin_ = false;
};

}  // namespace

JsonScan scan_json(input::TextInput& input) {
  JsonScan scan;
  Stream stream(input, &scan.text);
  Keys keys;
  rapidjson::Reader reader;
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseStopWhenDoneFlag;
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, keys);
  scan.ends_early = result.IsError() && stream.Peek() == '\0';
  stream.finish();
  scan.is_complete = !result.IsError();
  scan.shape = keys.shape(scan.is_complete);
  scan.has_report_inside = keys.has_report_inside(scan.is_complete);
  scan.has_content = keys.has_content();
  if (scan.is_complete) return scan;
  const bool is_too_large = scan.text.size() >= kDocumentBytesMax;
  scan.error =
      "line " + std::to_string(input.line()) + ": " +
      (is_too_large
           ? "the document is larger than " + std::to_string(kDocumentBytesMax >> 20) + " MiB"
           : std::string("not valid JSON: ") + rapidjson::GetParseError_En(result.Code()));
  return scan;
}

}  // namespace vigil::tools::evidence
