// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/triage/triage.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <utility>

#include "vigil/tools/core/core_evidence.h"
#include "vigil/tools/evidence/collector.h"
#include "vigil/tools/triage/frame_namer.h"

namespace vigil::tools::triage {

namespace {

using evidence::Collision;
using evidence::Side;

// Findings as the Collector folds them, threads as groups.
class TriageSink : public evidence::Sink {
 public:
  TriageSink(const std::string& path, const std::string& executable)
      : findings_(path), namer_(executable) {}

  void on_format(std::string_view name) override { findings_.on_format(name); }
  void on_finding(report::Finding&& finding) override {
    namer_.name(&finding);
    findings_.on_finding(std::move(finding));
  }
  void on_thread(report::Thread&& thread, std::uint64_t count) override {
    namer_.name(&thread);
    groups_.add(std::move(thread), count);
  }
  void on_proof(std::string_view line) override { findings_.on_proof(line); }
  void on_program(std::string_view program) override { findings_.on_program(program); }
  void on_warning(std::string message) override { findings_.on_warning(std::move(message)); }
  void on_truncated() override { findings_.on_truncated(); }

  report::Evidence take() { return findings_.take(); }
  [[nodiscard]] const GroupTable& groups() const { return groups_; }

 private:
  evidence::Collector findings_;
  GroupTable groups_;
  FrameNamer namer_;
};

// The line of source knows the map's name, and the operation where the runtime hid it.
void consult_source(SourceTree& sources, Collision* collision) {
  std::string object;
  for (Side& side : collision->sides) {
    const std::optional<std::string> line = sources.line(side.file, side.line);
    const std::optional<SourceAccess> access = line ? access_in(*line) : std::nullopt;
    if (!access) continue;
    object = access->object;
    const bool is_more_exact =
        report::is_map_operation(side.operation) &&
        report::is_write(side.operation) == report::is_write(access->operation);
    if (is_more_exact) side.operation = access->operation;
  }
  const bool has_name = !collision->object.empty() && !collision->object.starts_with("Go map") &&
                        !collision->object.starts_with("std::") &&
                        !collision->object.starts_with("heap block");
  if (has_name || object.empty()) return;
  collision->object = collision->object.empty() ? object : object + " (" + collision->object + ")";
}

InputReport report_of(report::Evidence&& evidence, const GroupTable& groups,
                      const layers::Rules& rules, SourceTree& sources) {
  InputReport result;
  evidence::CollisionTable table(rules);
  for (report::Finding& finding : evidence.findings) {
    result.reports += finding.occurrences;
    if (result.kind.empty()) result.kind = kind_name(finding.kind);
    if (evidence::is_collision(finding)) {
      table.add(finding);
    } else {
      result.other_findings.push_back(std::move(finding));
    }
  }
  result.collisions = table.sorted();
  for (Collision& collision : result.collisions) consult_source(sources, &collision);
  result.path = std::move(evidence.path);
  result.format = std::move(evidence.format);
  result.program = std::move(evidence.program);
  result.warnings = std::move(evidence.warnings);
  result.truncated = evidence.truncated;
  result.detector_proof = std::move(evidence.detector_proof);
  result.groups = groups.sorted(rules);
  result.threads = groups.threads();
  if (result.kind.empty()) result.kind = result.threads > 0 ? "dump" : "clean";
  return result;
}

// The number of a process, unless there is a file of that name.
std::optional<pid_t> process_of(const std::string& path) {
  pid_t process = 0;
  const char* const end = path.data() + path.size();
  const auto [rest, error] = std::from_chars(path.data(), end, process);
  std::error_code ignored;
  const bool is_number = error == std::errc() && rest == end && process > 0;
  if (!is_number || std::filesystem::exists(path, ignored)) return std::nullopt;
  return process;
}

Result<InputReport> report_of_memory(Result<report::Evidence> read, const std::string& path,
                                     const layers::Rules& rules, SourceTree& sources) {
  if (!read) return Error{path + ": " + read.error().message};
  GroupTable groups;
  for (report::Thread& thread : read->threads) groups.add(std::move(thread), 1);
  read->path = path;
  return report_of(*std::move(read), groups, rules, sources);
}

}  // namespace

std::string kind_name(report::Kind kind) {
  return kind == report::Kind::kRace ? "data race" : std::string(report::to_string(kind));
}

Result<InputReport> triage_input(const std::string& path, const TriageOptions& options,
                                 const layers::Rules& rules, SourceTree& sources) {
  if (const std::optional<pid_t> process = process_of(path)) {
    return report_of_memory(read_process_evidence(*process), path, rules, sources);
  }
  if (is_core_file(path)) {
    return report_of_memory(read_core_evidence(path, {options.executable}), path, rules, sources);
  }
  TriageSink sink(path, options.executable);
  if (Result<void> done = evidence::stream_evidence(path, options.read, sink); !done) {
    return done.error();
  }
  return report_of(sink.take(), sink.groups(), rules, sources);
}

}  // namespace vigil::tools::triage
