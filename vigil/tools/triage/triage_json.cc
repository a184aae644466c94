// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/triage/triage_json.h"

#include "vigil/text/json_writer.h"
#include "vigil/text/visible.h"
#include "vigil/tools/triage/verdict.h"

namespace vigil::tools::triage {

namespace {

using evidence::Collision;
using evidence::Side;
using text::JsonWriter;

std::string joined(const std::vector<std::string>& sentences) {
  std::string text;
  for (const std::string& sentence : sentences) text.append(text.empty() ? "" : "; ") += sentence;
  return text;
}

class ReportWriter {
 public:
  explicit ReportWriter(const layers::Rules& rules) : rules_(rules) {}

  std::string write(std::span<const InputReport> inputs) {
    json_.begin_object();
    json_.begin_array("inputs");
    for (const InputReport& input : inputs) write(input);
    json_.end_array();
    json_.end_object();
    return text::visible_json(out_) + "\n";
  }

 private:
  void optional_text(text::JsonName key, std::string_view value) {
    if (!value.empty()) json_.member(key, value);
  }

  void write(const InputReport& input) {
    json_.begin_object();
    json_.member("path", input.path);
    json_.member("format", input.format);
    json_.member("kind", input.kind);
    if (!input.damage.empty()) json_.member("error", joined(input.damage));
    optional_text("program", input.program);
    json_.member("reports", input.reports);
    json_.member("threads", input.threads);
    json_.member("truncated", input.truncated);
    if (input.detector_proof) json_.member("detector_proof", *input.detector_proof);
    array("collisions", input.collisions);
    array("findings", input.other_findings);
    array("groups", input.groups);
    json_.begin_array("warnings");
    for (const std::string& warning : input.warnings) json_.value(warning);
    json_.end_array();
    json_.end_object();
  }

  template <class T>
  void array(text::JsonName key, const std::vector<T>& elements) {
    json_.begin_array(key);
    for (const T& element : elements) write(element);
    json_.end_array();
  }

  void write(const Collision& collision) {
    json_.begin_object();
    json_.member("confidence", evidence::to_string(collision.confidence));
    json_.member("kind", kind_name(collision.kind));
    json_.member("object", collision.object);
    json_.member("verdict", verdict(collision));
    json_.member("key", collision.key);
    json_.member("occurrences", collision.occurrences);
    array("sides", collision.sides);
    json_.end_object();
  }

  void write(const Side& side) {
    json_.begin_object();
    json_.member("operation", report::to_string(side.operation));
    json_.member("thread", side.thread);
    optional_text("thread_name", side.thread_name);
    json_.member("function", side.function);
    json_.member("file", side.file);
    json_.member("line", side.line);
    json_.member("layer", layers::to_string(side.layer));
    optional_text("entry", side.entry);
    stack(side.stack);
    json_.end_object();
  }

  void write(const report::Finding& finding) {
    json_.begin_object();
    json_.member("kind", kind_name(finding.kind));
    json_.member("message", finding.message);
    json_.member("occurrences", finding.occurrences);
    json_.end_object();
  }

  void write(const Group& group) {
    json_.begin_object();
    json_.member("count", group.count);
    optional_text("name", group.name);
    json_.begin_array("threads");
    for (const std::int64_t thread : group.threads) json_.value(thread);
    json_.end_array();
    json_.begin_object("states");
    for (const auto& [state, count] : group.states) json_.member(text::JsonName(state), count);
    json_.end_object();
    json_.member("operation", report::to_string(group.operation));
    json_.member("layer", layers::to_string(group.layer));
    stack(group.stack);
    json_.end_object();
  }

  void stack(const report::Stack& stack) {
    json_.begin_array("stack");
    for (const report::Frame& frame : stack) {
      json_.begin_object();
      json_.member("function", frame.function);
      optional_text("file", frame.file);
      if (frame.line > 0) json_.member("line", frame.line);
      optional_text("module", frame.module);
      json_.member("layer", layers::to_string(rules_.layer_of(frame)));
      json_.end_object();
    }
    json_.end_array();
  }

  const layers::Rules& rules_;
  std::string out_;
  JsonWriter json_{&out_, {.indent = 2, .arrays_on_one_line = true}};
};

}  // namespace

std::string to_json(std::span<const InputReport> inputs, const layers::Rules& rules) {
  return ReportWriter(rules).write(inputs);
}

}  // namespace vigil::tools::triage
