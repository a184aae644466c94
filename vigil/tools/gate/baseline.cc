// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/baseline.h"

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

#include <algorithm>

#include "vigil/tools/gate/json_writer.h"
#include "vigil/tools/gate/suppression.h"

namespace vigil::tools::gate {
namespace {

constexpr int kVersion = 1;

Error error_in(std::string_view name, std::string_view message) {
  return Error{std::string(name).append(": ").append(message)};
}

std::string member(const rapidjson::Value& object, const char* key) {
  const auto found = object.FindMember(key);
  if (found == object.MemberEnd() || !found->value.IsString()) return {};
  return {found->value.GetString(), found->value.GetStringLength()};
}

bool is_fingerprint(std::string_view text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

Result<Baseline> Baseline::parse(std::string_view json, std::string_view name) {
  rapidjson::Document document;
  constexpr unsigned kFlags =
      rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;
  document.Parse<kFlags>(json.data(), json.size());
  if (document.HasParseError()) {
    return error_in(name, "at byte " + std::to_string(document.GetErrorOffset()) + ": " +
                              rapidjson::GetParseError_En(document.GetParseError()));
  }
  constexpr std::string_view kExpected =
      "no baseline; write one with `vigil gate --write-baseline FILE`";
  if (!document.IsObject()) return error_in(name, kExpected);
  const rapidjson::Value& root = document;
  const auto version = root.FindMember("vigil_baseline");
  const auto issues = root.FindMember("issues");
  if (version == root.MemberEnd() || issues == root.MemberEnd() || !version->value.IsInt() ||
      !issues->value.IsArray()) {
    return error_in(name, kExpected);
  }
  if (version->value.GetInt() != kVersion) {
    return error_in(name, "a baseline of version " + std::to_string(version->value.GetInt()) +
                              ", this vigil reads version 1");
  }
  Baseline baseline;
  for (const rapidjson::Value& issue : issues->value.GetArray()) {
    const std::string fingerprint = issue.IsObject() ? member(issue, "fingerprint") : "";
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
    baseline.entries_[issue.fingerprint] = {since, valid_utf8(issue.rule), valid_utf8(issue.title)};
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
    JsonWriter json;
    json.begin_object();
    json.member("fingerprint", fingerprint);
    json.member("since", entry.since);
    json.member("rule", entry.rule);
    json.member("title", entry.title);
    json.end_object();
    text.append(separator).append(json.text());
    separator = ",\n";
  }
  return text + "\n]}\n";
}

}  // namespace vigil::tools::gate
