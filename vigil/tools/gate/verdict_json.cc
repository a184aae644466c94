// SPDX-License-Identifier: Apache-2.0
#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

#include "vigil/tools/gate/json_writer.h"
#include "vigil/tools/gate/outputs.h"

namespace vigil::tools::gate {
namespace {

void write_texts(std::string_view key, const std::vector<std::string>& texts, JsonWriter* json) {
  json->begin_array(key);
  for (const std::string& text : texts) json->element(text);
  json->end_array();
}

void write_stack(const report::Stack& stack, JsonWriter* json) {
  json->begin_array("stack");
  for (const report::Frame& frame : stack) {
    json->begin_object();
    json->member("function", frame.function);
    json->member("file", frame.file);
    json->member("line", frame.line);
    json->end_object();
  }
  json->end_array();
}

void write_side(const evidence::Side& side, JsonWriter* json) {
  json->begin_object();
  json->member("operation", report::to_string(side.operation));
  json->member("function", side.function);
  json->member("file", side.file);
  json->member("line", side.line);
  json->member("layer", layers::to_string(side.layer));
  write_stack(side.stack, json);
  json->end_object();
}

void write_issue(const Issue& issue, JsonWriter* json) {
  json->begin_object();
  json->member("fingerprint", issue.fingerprint);
  json->member("rule", issue.rule);
  json->member("title", issue.title);
  json->member("detector", issue.detector);
  json->member("status", to_string(issue.status));
  if (!issue.status_reason.empty()) json->member("status_reason", issue.status_reason);
  if (!issue.level.empty()) json->member("level", issue.level);
  if (!issue.object.empty()) json->member("object", issue.object);
  if (!issue.confidence.empty()) json->member("confidence", issue.confidence);
  json->member("blocks", issue.blocks);
  json->member("write_write", issue.write_write);
  json->member("occurrences", issue.occurrences);
  json->begin_array("sides");
  for (const evidence::Side& side : issue.sides) write_side(side, json);
  json->end_array();
  json->end_object();
}

void write_input(const Input& input, JsonWriter* json) {
  json->begin_object();
  json->member("name", input.name);
  json->member("reports", input.reports);
  if (input.tests_run) json->member("tests_run", *input.tests_run);
  write_texts("proofs", input.proofs, json);
  json->end_object();
}

void write_command(const CommandOutcome& command, JsonWriter* json) {
  json->begin_object("command");
  write_texts("arguments", command.arguments, json);
  json->member("exit_code", command.result.exit_code);
  if (command.result.signal != 0) json->member("signal", command.result.signal);
  json->end_object();
}

}  // namespace

std::string to_json(const Verdict& verdict) {
  JsonWriter json;
  json.begin_object();
  json.member("vigil_gate", 1);
  json.member("stage", verdict.stage.name);
  json.member("outcome", to_string(verdict.outcome));
  json.member("next_stage_may_run", verdict.next_stage_may_run);
  write_texts("reasons", verdict.reasons, &json);
  write_texts("notes", verdict.notes, &json);
  json.member("event_chains", verdict.event_chains);
  if (const auto tests = tests_run(verdict)) json.member("tests_run", *tests);
  if (verdict.command) write_command(*verdict.command, &json);
  json.begin_array("inputs");
  for (const Input& input : verdict.inputs) write_input(input, &json);
  json.end_array();
  json.begin_array("issues");
  for (const Issue& issue : verdict.issues) write_issue(issue, &json);
  json.end_array();
  json.end_object();
  return std::string(json.text()) + "\n";
}

Result<PastVerdict> past_verdict_from_json(std::string_view json, std::string_view name) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
  if (document.HasParseError()) {
    return Error{std::string(name) + ": at byte " + std::to_string(document.GetErrorOffset()) +
                 ": " + rapidjson::GetParseError_En(document.GetParseError())};
  }
  const Error no_verdict{std::string(name) + ": not written by `vigil gate --json`"};
  if (!document.IsObject() || !document.HasMember("vigil_gate")) return no_verdict;
  const rapidjson::Value& root = document;
  const auto stage = root.FindMember("stage");
  const auto outcome = root.FindMember("outcome");
  const auto next = root.FindMember("next_stage_may_run");
  const auto end = root.MemberEnd();
  if (stage == end || outcome == end || next == end || !stage->value.IsString() ||
      !outcome->value.IsString() || !next->value.IsBool()) {
    return no_verdict;
  }
  return PastVerdict{stage->value.GetString(),
                     outcome->value.GetString() == to_string(Outcome::kPassed),
                     next->value.GetBool()};
}

}  // namespace vigil::tools::gate
