// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/json_document.h"
#include "vigil/text/json_writer.h"
#include "vigil/text/visible.h"
#include "vigil/tools/gate/output/outputs.h"

namespace vigil::tools::gate {
namespace {

using text::JsonWriter;

void write_texts(text::JsonName key, const std::vector<std::string>& texts, JsonWriter* json) {
  json->begin_array(key);
  for (const std::string& text : texts) json->value(text);
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
  std::string out;
  JsonWriter json(&out);
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
  return text::visible_json(out) + "\n";
}

Result<PastVerdict> past_verdict_from_json(std::string_view json, std::string_view name) {
  const Result<rapidjson::Document> document = text::parse_json(json);
  if (!document) return Error{std::string(name) + ": " + document.error().message};
  const text::JsonValue* const stage = text::json_member(*document, "stage");
  const text::JsonValue* const outcome = text::json_member(*document, "outcome");
  const text::JsonValue* const next = text::json_member(*document, "next_stage_may_run");
  if (text::json_member(*document, "vigil_gate") == nullptr || stage == nullptr ||
      outcome == nullptr || next == nullptr || !stage->IsString() || !outcome->IsString() ||
      !next->IsBool()) {
    return Error{std::string(name) + ": not written by `vigil gate --json`"};
  }
  return PastVerdict{stage->GetString(), outcome->GetString() == to_string(Outcome::kPassed),
                     next->GetBool()};
}

}  // namespace vigil::tools::gate
