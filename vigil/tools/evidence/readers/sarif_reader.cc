// SPDX-License-Identifier: Apache-2.0
//
// SARIF 2.1.0. A result is a finding; each thread flow of its code flows is the stack of one
// access, written in the order of execution (outermost first), and where there is none, its
// location and related locations are frames of one line.
#include <algorithm>
#include <string>
#include <utility>

#include "vigil/text/json_document.h"
#include "vigil/text/utf8.h"
#include "vigil/tools/evidence/documents.h"
#include "vigil/tools/evidence/map_operation.h"

namespace vigil::tools::evidence {

namespace {

using Value = text::JsonValue;

constexpr std::size_t kAccessesMax = 16;

const Value& member(const Value& object, const char* key) {
  static const Value nothing;
  const Value* const found = vigil::text::json_member(object, key);
  return found == nullptr ? nothing : *found;
}

std::string text_of(const Value& value) {
  return value.IsString() ? std::string(value.GetString(), value.GetStringLength()) : std::string();
}

int number(const Value& value) { return value.IsInt() && value.GetInt() > 0 ? value.GetInt() : 0; }

// Calls `use` for each element of an array, or not at all.
template <class Use>
void each(const Value& array, Use use) {
  if (!array.IsArray()) return;
  for (const Value& element : array.GetArray()) use(element);
}

report::Frame frame_of(const Value& location) {
  report::Frame frame;
  const Value& physical = member(location, "physicalLocation");
  frame.file = text_of(member(member(physical, "artifactLocation"), "uri"));
  frame.line = number(member(member(physical, "region"), "startLine"));
  frame.column = number(member(member(physical, "region"), "startColumn"));
  each(member(location, "logicalLocations"), [&](const Value& logical) {
    frame.function = text_of(member(logical, "fullyQualifiedName"));
    if (frame.function.empty()) frame.function = text_of(member(logical, "name"));
  });
  if (frame.function.empty()) frame.function = text_of(member(member(location, "message"), "text"));
  return frame;
}

report::Kind kind_of(std::string_view rule, std::string_view message) {
  for (const std::string_view where : {rule, message}) {
    for (const report::Kind kind : {report::Kind::kMapWrites, report::Kind::kMapReadAndWrite,
                                    report::Kind::kMapIterationAndWrite}) {
      if (where.find(report::to_string(kind)) != where.npos) return kind;
    }
    if (where.find("race") != where.npos || where.find("Race") != where.npos) {
      return report::Kind::kRace;
    }
  }
  return report::Kind::kOther;
}

// "write by thread 2": the message of a thread flow names the operation.
report::Operation operation_of(std::string_view message) {
  for (const report::Operation operation :
       {report::Operation::kMapErase, report::Operation::kMapIterate, report::Operation::kMapWrite,
        report::Operation::kMapRead, report::Operation::kAtomicWrite,
        report::Operation::kAtomicRead, report::Operation::kFree, report::Operation::kWrite,
        report::Operation::kRead}) {
    if (message.find(report::to_string(operation)) != message.npos) return operation;
  }
  return report::Operation::kUnknown;
}

report::Access access_of(const Value& thread_flow) {
  report::Access access;
  each(member(thread_flow, "locations"), [&](const Value& step) {
    if (access.stack.size() < kFramesMax)
      access.stack.push_back(frame_of(member(step, "location")));
  });
  std::reverse(access.stack.begin(), access.stack.end());
  const report::Operation named =
      operation_of(text_of(member(member(thread_flow, "message"), "text")));
  access.operation = refine(named, access.stack);
  return access;
}

report::Finding finding_of(const Value& result) {
  report::Finding finding;
  finding.message = text_of(member(member(result, "message"), "text"));
  finding.kind = kind_of(text_of(member(result, "ruleId")), finding.message);
  const auto add = [&](report::Access&& access) {
    if (!access.stack.empty() && finding.accesses.size() < kAccessesMax) {
      finding.accesses.push_back(std::move(access));
    }
  };
  each(member(result, "codeFlows"), [&](const Value& flow) {
    each(member(flow, "threadFlows"), [&](const Value& thread) { add(access_of(thread)); });
  });
  if (!finding.accesses.empty()) return finding;
  for (const char* key : {"locations", "relatedLocations"}) {
    each(member(result, key), [&](const Value& location) {
      report::Access access;
      access.stack.push_back(frame_of(location));
      add(std::move(access));
    });
  }
  return finding;
}

// Whether all of its results are here: none is something else than an object, or in another file.
bool is_whole_run(const Value& run) {
  const Value& results = member(run, "results");
  if (!run.IsObject() || !(results.IsArray() || results.IsNull())) return false;
  bool has_objects_only = true;
  each(results,
       [&](const Value& result) { has_objects_only = has_objects_only && result.IsObject(); });
  return has_objects_only &&
         member(member(run, "externalPropertyFileReferences"), "results").IsNull();
}

}  // namespace

Result<void> read_sarif(const std::string& text, Sink& sink) {
  const Result<rapidjson::Document> document =
      vigil::text::parse_json(vigil::text::valid_utf8(text));
  if (!document) return document.error();
  if (!member(*document, "runs").IsArray()) return Error{"not SARIF: there is no list of \"runs\""};
  sink.on_format("sarif");
  bool is_understood = true;
  each(member(*document, "runs"), [&](const Value& run) {
    is_understood = is_understood && is_whole_run(run);
    const std::string tool = text_of(member(member(member(run, "tool"), "driver"), "name"));
    if (!tool.empty()) sink.on_proof("SARIF of " + tool);
    each(member(run, "results"), [&](const Value& result) {
      if (result.IsObject()) sink.on_finding(finding_of(result));
    });
  });
  if (!is_understood) return Error{"SARIF with runs or results that are missing or no objects"};
  return {};
}

}  // namespace vigil::tools::evidence
