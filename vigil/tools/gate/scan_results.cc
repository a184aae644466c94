// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/scan_results.h"

#include <algorithm>
#include <map>

#include "vigil/text/json_document.h"
#include "vigil/text/utf8.h"

namespace vigil::tools::gate {
namespace {

using Json = text::JsonValue;

constexpr std::size_t kRelatedMax = 8;

// The member at the end of a path of keys; nullptr if a step is missing.
const Json* at(const Json& value, std::initializer_list<const char*> path) {
  const Json* step = &value;
  for (const char* const key : path) {
    step = text::json_member(*step, key);
    if (step == nullptr) return nullptr;
  }
  return step;
}

std::string text_at(const Json& value, std::initializer_list<const char*> path) {
  const Json* const found = at(value, path);
  if (found == nullptr || !found->IsString()) return {};
  return {found->GetString(), found->GetStringLength()};
}

int number_at(const Json& value, std::initializer_list<const char*> path) {
  const Json* const found = at(value, path);
  return found != nullptr && found->IsInt() ? found->GetInt() : 0;
}

template <class Visit>
void each(const Json* array, Visit visit) {
  if (array == nullptr || !array->IsArray()) return;
  for (const Json& element : array->GetArray()) visit(element);
}

std::string without_scheme(const std::string& uri) {
  constexpr std::string_view kFile = "file://";
  return uri.starts_with(kFile) ? uri.substr(kFile.size()) : uri;
}

evidence::Side side_of(const Json& location, const SourcePaths& paths) {
  evidence::Side side;
  side.file = paths.relative(
      without_scheme(text_at(location, {"physicalLocation", "artifactLocation", "uri"})));
  side.line = number_at(location, {"physicalLocation", "region", "startLine"});
  const int column = number_at(location, {"physicalLocation", "region", "startColumn"});
  each(at(location, {"logicalLocations"}), [&](const Json& logical) {
    if (side.function.empty()) side.function = text_at(logical, {"fullyQualifiedName"});
    if (side.function.empty()) side.function = text_at(logical, {"name"});
  });
  side.stack.push_back({.function = side.function,
                        .file = side.file,
                        .line = side.line,
                        .column = column,
                        .module = {}});
  return side;
}

// A message names lines and counts; those are no part of a fingerprint.
std::string without_digits(std::string text) {
  std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
  return text;
}

// Whether all of its results are here: none is something else than an object, or in another file.
bool is_whole_run(const Json& run) {
  const Json* const results = at(run, {"results"});
  if (!run.IsObject() || at(run, {"externalPropertyFileReferences", "results"}) != nullptr) {
    return false;
  }
  if (results == nullptr || results->IsNull()) return true;
  return results->IsArray() && std::all_of(results->Begin(), results->End(),
                                           [](const Json& result) { return result.IsObject(); });
}

class RunReader {
 public:
  RunReader(const Json& run, const SourcePaths& paths) : run_(run), paths_(paths) {
    scanner_ = text_at(run, {"tool", "driver", "name"});
    each(at(run, {"tool", "driver", "rules"}), [this](const Json& rule) {
      std::string level = text_at(rule, {"defaultConfiguration", "level"});
      if (!level.empty()) default_level_[text_at(rule, {"id"})] = std::move(level);
    });
  }

  void read(ScanResults* results) {
    const Json* const list = at(run_, {"results"});
    each(list, [&](const Json& result) {
      if (const auto issue = issue_of(result)) results->issues.push_back(*issue);
    });
    bool is_proven = list != nullptr && list->IsArray() && !list->Empty();
    each(at(run_, {"invocations"}), [&](const Json& invocation) {
      const Json* const successful = at(invocation, {"executionSuccessful"});
      if (successful == nullptr || !successful->IsBool()) return;
      is_proven = is_proven || successful->GetBool();
      if (!successful->GetBool()) results->failures.push_back(scanner_ + " did not complete");
    });
    if (is_proven && !scanner_.empty()) results->proof = scanner_ + " reported its results";
  }

 private:
  // nullopt: a result that is no finding (kind "pass", "notApplicable", ...), or that the scanner
  // itself suppressed.
  std::optional<Issue> issue_of(const Json& result) const {
    const std::string kind = text_at(result, {"kind"});
    const Json* const suppressions = at(result, {"suppressions"});
    const bool is_suppressed =
        suppressions != nullptr && suppressions->IsArray() && !suppressions->Empty();
    if ((!kind.empty() && kind != "fail") || is_suppressed) return std::nullopt;
    Issue issue;
    issue.from_scanner = true;
    issue.detector = scanner_;
    issue.rule = text_at(result, {"ruleId"});
    if (issue.rule.empty()) issue.rule = text_at(result, {"rule", "id"});
    issue.level = level_of(result, issue.rule);
    const std::string message = text_at(result, {"message", "text"});
    issue.title = issue.rule + ": " + message;
    const auto add = [&](const Json& location) {
      if (issue.sides.size() <= kRelatedMax) issue.sides.push_back(side_of(location, paths_));
    };
    each(at(result, {"locations"}), add);
    each(at(result, {"relatedLocations"}), add);
    const evidence::Side first = issue.sides.empty() ? evidence::Side() : issue.sides.front();
    issue.fingerprint =
        fingerprint_of({"scan", scanner_, issue.rule, first.file, subject_of(result, first)});
    return issue;
  }

  // What tells results of one rule in one file apart: the scanner's own hash, else the function,
  // else the message.
  static std::string subject_of(const Json& result, const evidence::Side& first) {
    std::string hash = text_at(result, {"partialFingerprints", "primaryLocationLineHash"});
    if (!hash.empty()) return hash;
    return first.function.empty() ? without_digits(text_at(result, {"message", "text"}))
                                  : first.function;
  }

  // SARIF 2.1.0, 3.27.10: the result's own, else the rule's default, else "warning".
  [[nodiscard]] std::string level_of(const Json& result, const std::string& rule) const {
    std::string level = text_at(result, {"level"});
    if (!level.empty()) return level;
    const auto by_rule = default_level_.find(rule);
    return by_rule != default_level_.end() ? by_rule->second : "warning";
  }

  const Json& run_;
  const SourcePaths& paths_;
  std::string scanner_;
  std::map<std::string, std::string> default_level_;  // by rule
};

}  // namespace

Result<ScanResults> read_sarif(std::string_view json, const SourcePaths& paths) {
  const Result<rapidjson::Document> document = text::parse_json(text::valid_utf8(json));
  if (!document) return document.error();
  const Json* const runs = at(*document, {"runs"});
  if (runs == nullptr || !runs->IsArray()) {
    return Error{"no SARIF: there is no array \"runs\""};
  }
  if (!std::all_of(runs->Begin(), runs->End(), is_whole_run)) {
    return Error{"SARIF with runs or results that are missing or no objects"};
  }
  ScanResults results;
  each(runs, [&](const Json& run) { RunReader(run, paths).read(&results); });
  return results;
}

}  // namespace vigil::tools::gate
