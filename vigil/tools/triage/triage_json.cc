// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/triage/triage_json.h"

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include "vigil/tools/triage/verdict.h"

namespace vigil::tools::triage {

namespace {

using evidence::Collision;
using evidence::Side;
using rapidjson::StringBuffer;

// Output is always valid UTF-8: a broken byte of the input becomes "?".
std::string valid_utf8(std::string_view text) {
  std::string valid(text);
  std::size_t i = 0;
  while (i < valid.size()) {
    const auto lead = static_cast<unsigned char>(valid[i]);
    const std::size_t size = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    bool broken = lead >= 0xf5 || (lead >= 0x80 && lead < 0xc2) || i + size > valid.size();
    for (std::size_t k = 1; !broken && k < size; ++k) {
      broken = (static_cast<unsigned char>(valid[i + k]) & 0xc0) != 0x80;
    }
    // Surrogates and overlong forms.
    if (!broken && size == 3) {
      const auto next = static_cast<unsigned char>(valid[i + 1]);
      broken = (lead == 0xe0 && next < 0xa0) || (lead == 0xed && next > 0x9f);
    }
    if (!broken && size == 4) {
      const auto next = static_cast<unsigned char>(valid[i + 1]);
      broken = (lead == 0xf0 && next < 0x90) || (lead == 0xf4 && next > 0x8f);
    }
    if (broken) valid[i] = '?';
    i += broken ? 1 : size;
  }
  return valid;
}

std::string joined(const std::vector<std::string>& sentences) {
  std::string text;
  for (const std::string& sentence : sentences) text.append(text.empty() ? "" : "; ") += sentence;
  return text;
}

class ReportWriter {
 public:
  explicit ReportWriter(const layers::Rules& rules) : rules_(rules), json_(buffer_) {
    json_.SetIndent(' ', 2);
    json_.SetFormatOptions(rapidjson::kFormatSingleLineArray);
  }

  std::string write(std::span<const InputReport> inputs) {
    json_.StartObject();
    json_.Key("inputs");
    json_.StartArray();
    for (const InputReport& input : inputs) write(input);
    json_.EndArray();
    json_.EndObject();
    return std::string(buffer_.GetString(), buffer_.GetSize()) + "\n";
  }

 private:
  void text(const char* key, std::string_view value) {
    const std::string valid = valid_utf8(value);
    json_.Key(key);
    json_.String(valid.data(), static_cast<rapidjson::SizeType>(valid.size()));
  }

  void optional_text(const char* key, std::string_view value) {
    if (!value.empty()) text(key, value);
  }

  void number(const char* key, std::uint64_t value) {
    json_.Key(key);
    json_.Uint64(value);
  }

  void write(const InputReport& input) {
    json_.StartObject();
    text("path", input.path);
    text("format", input.format);
    text("kind", input.kind);
    if (!input.damage.empty()) text("error", joined(input.damage));
    optional_text("program", input.program);
    number("reports", input.reports);
    number("threads", input.threads);
    json_.Key("truncated");
    json_.Bool(input.truncated);
    if (input.detector_proof) text("detector_proof", *input.detector_proof);
    array("collisions", input.collisions);
    array("findings", input.other_findings);
    array("groups", input.groups);
    json_.Key("warnings");
    json_.StartArray();
    for (const std::string& warning : input.warnings) {
      const std::string valid = valid_utf8(warning);
      json_.String(valid.data(), static_cast<rapidjson::SizeType>(valid.size()));
    }
    json_.EndArray();
    json_.EndObject();
  }

  template <class T>
  void array(const char* key, const std::vector<T>& elements) {
    json_.Key(key);
    json_.StartArray();
    for (const T& element : elements) write(element);
    json_.EndArray();
  }

  void write(const Collision& collision) {
    json_.StartObject();
    text("confidence", evidence::to_string(collision.confidence));
    text("kind", kind_name(collision.kind));
    text("object", collision.object);
    text("verdict", verdict(collision));
    text("key", collision.key);
    number("occurrences", collision.occurrences);
    array("sides", collision.sides);
    json_.EndObject();
  }

  void write(const Side& side) {
    json_.StartObject();
    text("operation", report::to_string(side.operation));
    json_.Key("thread");
    json_.Int64(side.thread);
    optional_text("thread_name", side.thread_name);
    text("function", side.function);
    text("file", side.file);
    json_.Key("line");
    json_.Int(side.line);
    text("layer", layers::to_string(side.layer));
    optional_text("entry", side.entry);
    stack(side.stack);
    json_.EndObject();
  }

  void write(const report::Finding& finding) {
    json_.StartObject();
    text("kind", kind_name(finding.kind));
    text("message", finding.message);
    number("occurrences", finding.occurrences);
    json_.EndObject();
  }

  void write(const Group& group) {
    json_.StartObject();
    number("count", group.count);
    optional_text("name", group.name);
    json_.Key("threads");
    json_.StartArray();
    for (const std::int64_t thread : group.threads) json_.Int64(thread);
    json_.EndArray();
    json_.Key("states");
    json_.StartObject();
    for (const auto& [state, count] : group.states) {
      json_.Key(valid_utf8(state).c_str());
      json_.Uint64(count);
    }
    json_.EndObject();
    text("operation", report::to_string(group.operation));
    text("layer", layers::to_string(group.layer));
    stack(group.stack);
    json_.EndObject();
  }

  void stack(const report::Stack& stack) {
    json_.Key("stack");
    json_.StartArray();
    for (const report::Frame& frame : stack) {
      json_.StartObject();
      text("function", frame.function);
      optional_text("file", frame.file);
      if (frame.line > 0) number("line", static_cast<std::uint64_t>(frame.line));
      optional_text("module", frame.module);
      text("layer", layers::to_string(rules_.layer_of(frame)));
      json_.EndObject();
    }
    json_.EndArray();
  }

  const layers::Rules& rules_;
  StringBuffer buffer_;
  rapidjson::PrettyWriter<StringBuffer> json_;
};

}  // namespace

std::string to_json(std::span<const InputReport> inputs, const layers::Rules& rules) {
  return ReportWriter(rules).write(inputs);
}

}  // namespace vigil::tools::triage
