// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/triage/triage.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <utility>

#include "vigil/tools/core/isolated_evidence.h"
#include "vigil/tools/evidence/collector.h"
#include "vigil/tools/input/parts.h"
#include "vigil/tools/input/spooled_file.h"
#include "vigil/tools/triage/frame_namer.h"

namespace vigil::tools::triage {

namespace {

using evidence::Collision;
using evidence::Side;

// Findings as the Collector folds them, threads as groups.
class TriageSink : public evidence::Sink {
 public:
  TriageSink(const std::string& path, const std::string& executable, const SourceTree& sources)
      : findings_(path), namer_(executable, sources.project()) {}

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
  void on_damage(std::string message) override { findings_.on_damage(std::move(message)); }
  void on_truncated() override { findings_.on_truncated(); }

  [[nodiscard]] report::Evidence take() {
    for (std::string& warning : namer_.take_warnings()) findings_.on_warning(std::move(warning));
    return findings_.take();
  }
  [[nodiscard]] const std::vector<std::string>& damage() const { return findings_.damage(); }
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
  if (result.kind.empty()) {
    const bool is_dump = result.threads > 0;
    result.kind = is_dump ? "dump" : result.truncated ? "incomplete" : "clean";
  }
  return result;
}

void add_damage(const std::string& message, InputReport* report) {
  report->damage.push_back(message);
  if (report->kind == "clean" || report->kind == "incomplete") report->kind = "unreadable";
}

InputReport unreadable(const std::string& path, const Error& error) {
  InputReport report;
  report.path = path;
  report.kind = "unreadable";
  report.damage.push_back(error.message);
  return report;
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

InputReport report_of_memory(Result<report::Evidence> read, const std::string& path,
                             const layers::Rules& rules, SourceTree& sources) {
  if (!read) return unreadable(path, Error{path + ": " + read.error().message});
  GroupTable groups;
  for (report::Thread& thread : read->threads) groups.add(std::move(thread), 1);
  read->path = path;
  return report_of(*std::move(read), groups, rules, sources);
}

// Whether its bytes can be read again, from any place.
bool is_plain_file(const input::Part& part, const std::string& path) {
  std::error_code ignored;
  return !part.is_packed && std::filesystem::is_regular_file(path, ignored);
}

// The parts of one input.
class PartReader {
 public:
  PartReader(const std::string& path, const TriageOptions& options, const layers::Rules& rules,
             SourceTree& sources)
      : path_(path), options_(options), rules_(rules), sources_(sources) {}

  std::vector<InputReport> read() {
    const Result<void> done = input::for_each_part(
        path_, options_.on_progress, [this](input::Part& part) { return read_part(part); });
    if (done) return std::move(reports_);
    if (reports_.empty()) return {unreadable(path_, done.error())};
    add_damage(done.error().message, &reports_.back());
    return std::move(reports_);
  }

 private:
  Result<void> read_part(input::Part& part) {
    if (is_core(part.content.head())) return read_core(part);
    TriageSink sink(part.name, options_.executable, sources_);
    evidence::ReadOptions options;
    options.format = options_.format;
    Result<void> read = evidence::read_part(part, options, sink);
    reports_.push_back(report_of(sink.take(), sink.groups(), rules_, sources_));
    for (const std::string& message : sink.damage()) {
      add_damage(part.name + ": " + message, &reports_.back());
    }
    return read;
  }

  Result<void> read_core(input::Part& part) {
    const CoreOptions options{options_.executable};
    if (is_plain_file(part, path_)) {
      reports_.push_back(
          report_of_memory(read_core_evidence_apart(path_, options), path_, rules_, sources_));
      return {};
    }
    const Result<input::SpooledFile> file = input::SpooledFile::of(part.content);
    if (!file) return file.error();
    reports_.push_back(report_of_memory(read_core_evidence_apart(file->path(), options), part.name,
                                        rules_, sources_));
    return {};
  }

  const std::string& path_;
  const TriageOptions& options_;
  const layers::Rules& rules_;
  SourceTree& sources_;
  std::vector<InputReport> reports_;
};

}  // namespace

std::string kind_name(report::Kind kind) {
  return kind == report::Kind::kRace ? "data race" : std::string(report::to_string(kind));
}

std::vector<InputReport> triage_input(const std::string& path, const TriageOptions& options,
                                      const layers::Rules& rules, SourceTree& sources) {
  if (const std::optional<pid_t> process = process_of(path)) {
    return {report_of_memory(read_process_evidence_apart(*process), path, rules, sources)};
  }
  return PartReader(path, options, rules, sources).read();
}

}  // namespace vigil::tools::triage
