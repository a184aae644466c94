// SPDX-License-Identifier: Apache-2.0
//
// `go test -json`: one JSON object per line, whose "Output" is a piece of what the tests of
// "Package" printed. Packages run at the same time, so the output of each is a log of its own.
#include <map>
#include <memory>
#include <string>

#include "vigil/text/json_document.h"
#include "vigil/text/utf8.h"
#include "vigil/tools/evidence/line_handler.h"
#include "vigil/tools/evidence/log_reader.h"

namespace vigil::tools::evidence {

namespace {

// Whether the line, which has an "Action", is one of `go test` or `go build`.
bool is_event(std::string_view line) {
  return line.find("\"Package\":") != std::string_view::npos ||
         line.find("\"ImportPath\":") != std::string_view::npos;
}

class GoTestJsonReader : public LineHandler {
 public:
  explicit GoTestJsonReader(Sink& sink) : sink_(sink) {}

  void line(std::string_view text) override {
    if (!text.starts_with('{') || text.find("\"Action\":") == std::string_view::npos) return;
    const Result<rapidjson::Document> document =
        vigil::text::parse_json(vigil::text::valid_utf8(text));
    if (!document) {
      // Its output may be a part of a report.
      if (is_event(text)) sink_.on_damage("go test -json: " + document.error().message);
      return;
    }
    if (!seen_) sink_.on_format("go-test-json");
    seen_ = true;
    const std::string_view package = vigil::text::json_text(*document, "Package");
    const std::string_view output = vigil::text::json_text(*document, "Output");
    if (output.empty()) return;
    if (LogReader* log = log_of(package)) log->feed(output);
  }

  void finish() override {
    for (const auto& [package, log] : logs_) log->finish();
    logs_.clear();
  }

 private:
  LogReader* log_of(std::string_view package) {
    const auto known = logs_.find(package);
    if (known != logs_.end()) return known->second.get();
    if (logs_.size() == kPackagesMax) {
      if (!warned_) sink_.on_warning("go test -json: packages beyond the first 4096 were left out");
      warned_ = true;
      return nullptr;
    }
    return logs_.emplace(package, std::make_unique<LogReader>(sink_, LogReader::Nested{}))
        .first->second.get();
  }

  static constexpr std::size_t kPackagesMax = 4096;

  Sink& sink_;
  std::map<std::string, std::unique_ptr<LogReader>, std::less<>> logs_;
  bool seen_ = false;
  bool warned_ = false;
};

}  // namespace

std::unique_ptr<LineHandler> make_go_test_json_reader(Sink& sink) {
  return std::make_unique<GoTestJsonReader>(sink);
}

}  // namespace vigil::tools::evidence
