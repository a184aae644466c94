// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/baseline.h"

#include <algorithm>

#include "vigil/text/hex.h"
#include "vigil/text/json_document.h"
#include "vigil/text/json_writer.h"
#include "vigil/text/utf8.h"
#include "vigil/text/visible.h"
#include "vigil/tools/gate/suppression.h"

namespace vigil::tools::gate {
namespace {

constexpr int kVersion = 1;

Error error_in(std::string_view name, std::string_view message) {
  return Error{std::string(name).append(": ").append(message)};
}

bool is_fingerprint(std::string_view text) {
  return text.size() == 32 && text.find_first_not_of(text::kHexDigits) == std::string_view::npos;
}

}  // namespace

Result<Baseline> Baseline::parse(std::string_view json, std::string_view name) {
  const Result<rapidjson::Document> document = text::parse_json(json);
  if (!document) return error_in(name, document.error().message);
  constexpr std::string_view kExpected =
      "no baseline; write one with `vigil gate --write-baseline FILE`";
  const text::JsonValue* const version = text::json_member(*document, "vigil_baseline");
  const text::JsonValue* const issues = text::json_member(*document, "issues");
  if (version == nullptr || issues == nullptr || !version->IsInt() || !issues->IsArray()) {
    return error_in(name, kExpected);
  }
  if (version->GetInt() != kVersion) {
    return error_in(name, "a baseline of version " + std::to_string(version->GetInt()) +
                              ", this vigil reads version 1");
  }
  Baseline baseline;
  const auto member = [](const text::JsonValue& issue, const char* key) {
    return std::string(text::json_text(issue, key));
  };
  for (const text::JsonValue& issue : issues->GetArray()) {
    const std::string fingerprint = member(issue, "fingerprint");
    if (!is_fingerprint(fingerprint)) {
      return error_in(name, "issue " + std::to_string(baseline.entries_.size() + 1) +
                                " has no fingerprint of 32 hexadecimal digits");
    }
    baseline.entries_[fingerprint] = {member(issue, "since"), member(issue, "rule"),
                                      member(issue, "title")};
  }
  return baseline;
}

Baseline Baseline::updated(const std::vector<Issue>& issues,
                           std::chrono::year_month_day today) const {
  Baseline baseline;
  for (const Issue& issue : issues) {
    if (issue.status == Issue::Status::kSuppressed) continue;
    const auto known = entries_.find(issue.fingerprint);
    const std::string since = known != entries_.end() ? known->second.since : to_text(today);
    baseline.entries_[issue.fingerprint] = {since, text::valid_utf8(issue.rule),
                                            text::valid_utf8(issue.title)};
  }
  return baseline;
}

void Baseline::apply(std::vector<Issue>* issues) const {
  for (Issue& issue : *issues) {
    const auto known = entries_.find(issue.fingerprint);
    if (known == entries_.end() || issue.status != Issue::Status::kNew) continue;
    issue.status = Issue::Status::kKnown;
    issue.status_reason = "known since " + known->second.since;
  }
}

std::vector<Baseline::Entry> Baseline::not_met(const std::vector<Issue>& issues) const {
  std::map<std::string, Entry> left = entries_;
  for (const Issue& issue : issues) left.erase(issue.fingerprint);
  std::vector<Entry> entries;
  for (auto& [fingerprint, entry] : left) entries.push_back(std::move(entry));
  return entries;
}

std::string Baseline::to_json() const {
  std::string text = "{\"vigil_baseline\": 1, \"issues\": [";
  std::string_view separator = "\n";
  for (const auto& [fingerprint, entry] : entries_) {
    text.append(separator);
    text::JsonWriter json(&text);
    json.begin_object();
    json.member("fingerprint", fingerprint);
    json.member("since", entry.since);
    json.member("rule", entry.rule);
    json.member("title", entry.title);
    json.end_object();
    separator = ",\n";
  }
  return text::visible_json(text) + "\n]}\n";
}

}  // namespace vigil::tools::gate
