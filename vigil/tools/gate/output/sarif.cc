// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "vigil/base/version.h"
#include "vigil/text/hex.h"
#include "vigil/text/json_writer.h"
#include "vigil/text/visible.h"
#include "vigil/tools/gate/output/outputs.h"

namespace vigil::tools::gate {
namespace {

using text::JsonWriter;

constexpr std::string_view kSchema =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
constexpr std::size_t kFramesMax = 64;

// RFC 3986: what may stand in a path, the rest as %XX.
std::string uri_of(const std::string& file) {
  constexpr std::string_view kPlain = "-._~/!$&'()*+,;=@";
  std::string uri = file.starts_with('/') ? "file://" : "";
  for (const char c : file) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (is_letter || (c >= '0' && c <= '9') || kPlain.find(c) != std::string_view::npos) {
      uri += c;
    } else {
      uri.append({'%', text::kUpperHexDigits[byte >> 4U], text::kUpperHexDigits[byte & 15U]});
    }
  }
  return uri;
}

// A viewer shows it: nothing in it is hidden.
void write_message(text::JsonName key, std::string_view text, JsonWriter* json) {
  json->begin_object(key);
  json->member("text", text::visible_lines(text));
  json->end_object();
}

void write_location_body(const report::Frame& frame, std::string_view message, JsonWriter* json) {
  if (!frame.file.empty()) {
    json->begin_object("physicalLocation");
    json->begin_object("artifactLocation");
    json->member("uri", uri_of(frame.file));
    json->end_object();
    if (frame.line > 0) {
      json->begin_object("region");
      json->member("startLine", frame.line);
      if (frame.column > 0) json->member("startColumn", frame.column);
      json->end_object();
    }
    json->end_object();
  }
  if (!frame.function.empty()) {
    json->begin_array("logicalLocations");
    json->begin_object();
    json->member("fullyQualifiedName", text::visible_text(frame.function));
    json->member("kind", "function");
    json->end_object();
    json->end_array();
  }
  if (!message.empty()) write_message("message", message, json);
}

report::Frame place_frame(const evidence::Side& side) {
  report::Frame frame;
  frame.function = side.function;
  frame.file = side.file;
  frame.line = side.line;
  return frame;
}

std::string side_message(const Issue& issue, std::size_t index) {
  const evidence::Side& side = issue.sides[index];
  if (issue.from_scanner) return "see also";
  std::string text(index == 0 ? "this access: " : "the other access: ");
  text += std::string(report::to_string(side.operation)) + " by " + place_of(side);
  return text + ", layer: " + std::string(layers::to_string(side.layer));
}

// One flow per thread, outermost frame first: the order in which things happened.
void write_code_flow(const Issue& issue, JsonWriter* json) {
  json->begin_array("codeFlows");
  json->begin_object();
  json->begin_array("threadFlows");
  for (std::size_t i = 0; i < issue.sides.size(); ++i) {
    const report::Stack& stack = issue.sides[i].stack;
    const std::size_t count = std::min(stack.size(), kFramesMax);
    if (count == 0) continue;
    json->begin_object();
    write_message("message", side_message(issue, i), json);
    json->begin_array("locations");
    for (std::size_t frame = count; frame-- > 0;) {
      json->begin_object();
      json->begin_object("location");
      const std::string where =
          stack[frame].function.empty() ? stack[frame].module : stack[frame].function;
      write_location_body(stack[frame], where.empty() ? "unknown function" : where, json);
      json->end_object();
      json->member("nestingLevel", static_cast<int>(count - 1 - frame));
      json->end_object();
    }
    json->end_array();
    json->end_object();
  }
  json->end_array();
  json->end_object();
  json->end_array();
}

bool has_stack(const Issue& issue) {
  return std::any_of(issue.sides.begin(), issue.sides.end(),
                     [](const evidence::Side& side) { return !side.stack.empty(); });
}

void write_locations(const Issue& issue, JsonWriter* json) {
  json->begin_array("locations");
  if (!issue.sides.empty()) {
    json->begin_object();
    write_location_body(place_frame(issue.sides.front()), "", json);
    json->end_object();
  }
  json->end_array();
  if (issue.sides.size() > 1) {
    json->begin_array("relatedLocations");
    for (std::size_t i = 1; i < issue.sides.size(); ++i) {
      json->begin_object();
      json->member("id", static_cast<int>(i));
      write_location_body(place_frame(issue.sides[i]), side_message(issue, i), json);
      json->end_object();
    }
    json->end_array();
  }
}

void write_suppression(const Issue& issue, JsonWriter* json) {
  json->begin_array("suppressions");
  if (issue.status != Issue::Status::kNew) {
    json->begin_object();
    json->member("kind", "external");
    json->member("status", "accepted");
    json->member("justification", text::visible_text(issue.status_reason));
    json->end_object();
  }
  json->end_array();
}

std::string result_json(const Issue& issue) {
  std::string out;
  JsonWriter json(&out);
  json.begin_object();
  json.member("ruleId", text::visible_text(issue.rule));
  json.member("level", issue.blocks ? "error" : "warning");
  write_message("message", issue.title, &json);
  write_locations(issue, &json);
  if (has_stack(issue)) write_code_flow(issue, &json);
  json.begin_object("partialFingerprints");
  // The suffix counts equal fingerprints in one file, of which the gate makes none.
  json.member("primaryLocationLineHash", issue.fingerprint + ":1");
  json.member("vigilConflict/v1", issue.fingerprint);
  json.end_object();
  json.member("baselineState", issue.status == Issue::Status::kKnown ? "unchanged" : "new");
  write_suppression(issue, &json);
  json.member("occurrenceCount", std::max<std::uint64_t>(issue.occurrences, 1));
  json.end_object();
  return out;
}

std::string_view rule_help(const std::string& rule) {
  if (rule == "data-race") {
    return "Two threads access the same memory, at least one writes, and nothing orders them. "
           "Guard both accesses with the same lock, or use a concurrent map.";
  }
  if (rule.starts_with("concurrent-map")) {
    return "A map is used by two threads at once. Guard it with one lock for readers and writers, "
           "or use a concurrent map.";
  }
  if (rule == "deadlock" || rule == "lock-misuse") {
    return "Locks are taken in different orders, or are not used as they must be. Take them in one "
           "order everywhere.";
  }
  return "See the message and both stacks.";
}

std::string rules_json(const std::set<std::string>& rules) {
  std::string out;
  JsonWriter json(&out);
  json.begin_array();
  for (const std::string& rule : rules) {
    json.begin_object();
    json.member("id", text::visible_text(rule));
    std::string name = rule;
    std::replace(name.begin(), name.end(), '-', ' ');
    write_message("shortDescription", name, &json);
    write_message("fullDescription", rule_help(rule), &json);
    write_message("help", rule_help(rule), &json);
    json.end_object();
  }
  json.end_array();
  return out;
}

std::string invocation_json(const Verdict& verdict, std::size_t left_out) {
  std::string out;
  JsonWriter json(&out);
  json.begin_array();
  json.begin_object();
  json.member("executionSuccessful", true);
  json.begin_array("toolExecutionNotifications");
  std::vector<std::string> texts = verdict.reasons;
  if (left_out != 0) {
    texts.push_back(std::to_string(left_out) + " results were left out: code scanning takes " +
                    std::to_string(kSarifResultsMax) + " results and 10 MB");
  }
  for (const std::string& text : texts) {
    json.begin_object();
    write_message("message", text, &json);
    json.member("level", "warning");
    json.end_object();
  }
  json.end_array();
  json.end_object();
  json.end_array();
  return out;
}

std::string json_string(std::string_view text) {
  std::string out;
  text::append_json_string(text, &out);
  return out;
}

}  // namespace

std::string to_sarif(const Verdict& verdict) {
  constexpr std::size_t kRest = 100'000;  // for what is not results
  std::string results;
  std::set<std::string> rules;
  std::size_t taken = 0;
  for (const Issue& issue : verdict.issues) {
    const std::string result = result_json(issue);
    if (taken == kSarifResultsMax || results.size() + result.size() + kRest > kSarifBytesMax) break;
    results.append(taken == 0 ? "" : ",\n").append(result);
    rules.insert(issue.rule);
    ++taken;
  }
  std::string text = "{\"$schema\":" + json_string(kSchema) + ",\"version\":\"2.1.0\",\"runs\":[{";
  text += "\"tool\":{\"driver\":{\"name\":\"vigil gate\",\"version\":" + json_string(version());
  text += ",\"rules\":" + rules_json(rules) + "}}";
  text +=
      ",\"automationDetails\":{\"id\":" +
      json_string(text::visible_text("vigil-gate/" + verdict.stage.name + "/" + verdict.run_id)) +
      "}";
  text += ",\"invocations\":" + invocation_json(verdict, verdict.issues.size() - taken);
  text += ",\"results\":[\n" + results + "\n]}]}\n";
  return text;
}

}  // namespace vigil::tools::gate
