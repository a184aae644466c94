// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/intake.h"

#include <glob.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "vigil/tools/evidence/log_reader.h"
#include "vigil/tools/gate/ctest_log.h"
#include "vigil/tools/gate/scan_results.h"
#include "vigil/tools/terminal.h"

namespace vigil::tools::gate {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kProofsMax = 8;
constexpr std::size_t kNotesMax = 20;
constexpr int kSanitizerExitCode = 66;

void add_once(std::string text, std::size_t limit, std::vector<std::string>* texts) {
  if (texts->size() >= limit) return;
  if (std::find(texts->begin(), texts->end(), text) == texts->end()) {
    texts->push_back(std::move(text));
  }
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : " ").append(word);
  return text;
}

Error cannot_read(const std::string& path) {
  return Error{path + ": cannot be read: " + std::strerror(errno)};
}

bool is_newer(const fs::path& file, fs::file_time_type start) {
  std::error_code error;
  const fs::file_time_type written = fs::last_write_time(file, error);
  return !error && written >= start;
}

void show_progress(const input::Progress& progress) {
  constexpr std::uint64_t kMegabyte = 1'000'000;
  if (progress.bytes_total < 20 * kMegabyte) return;
  std::fprintf(stderr, "\rvigil gate: %llu of %llu MB\x1b[K%s",
               static_cast<unsigned long long>(progress.bytes_read / kMegabyte),
               static_cast<unsigned long long>(progress.bytes_total / kMegabyte),
               progress.bytes_read == progress.bytes_total ? "\r\x1b[K" : "");
}

// Calls visit(bytes) for the pieces of the file.
template <class Visit>
Result<void> stream_file(const std::string& path, Visit visit) {
  std::ifstream file(path, std::ios::binary);
  if (!file || fs::is_directory(path)) return cannot_read(path);
  std::vector<char> buffer(std::size_t{1} << 18);
  while (file) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    visit(std::string_view(buffer.data(), static_cast<std::size_t>(file.gcount())));
  }
  if (file.bad()) return cannot_read(path);
  return {};
}

void take_over(const RunLog& log, Input* input, std::vector<std::string>* failures) {
  if (log.tests_run()) input->tests_run = input->tests_run.value_or(0) + *log.tests_run();
  for (const std::string& failure : log.other_failures()) {
    add_once(failure, RunLog::kFailuresMax, failures);
  }
  if (!log.go_race_command().empty()) {
    add_once("the log shows the command: " + log.go_race_command(), kProofsMax, &input->proofs);
  }
}

}  // namespace

void IssueTable::add(Issue issue) {
  const auto [known, is_new] = index_of_.try_emplace(issue.fingerprint, issues_.size());
  if (!is_new) {
    Issue& kept = issues_[known->second];
    kept.occurrences += issue.occurrences;
    if (issue.write_write && !kept.write_write) {
      // The worse of the conflicts that one pair of functions has speaks for the pair.
      issue.occurrences = kept.occurrences;
      kept = std::move(issue);
    }
    return;
  }
  if (issues_.size() >= kIssuesMax) {
    index_of_.erase(known);
    ++left_out_;
    return;
  }
  issues_.push_back(std::move(issue));
}

// Makes issues of findings. Each finding is folded on its own, so that a read-write conflict and a
// write-read conflict of one pair of functions do not add up to a write-write conflict.
class Intake::EvidenceSink : public evidence::Sink {
 public:
  EvidenceSink(const Intake& intake, Input* input, IssueTable* table)
      : intake_(intake), input_(*input), table_(*table) {}

  void on_format(std::string_view /*name*/) override { has_format_ = true; }
  // Whether there was anything else than SARIF, which goes to add_sarif().
  [[nodiscard]] bool has_format() const { return has_format_; }

  void on_finding(report::Finding&& finding) override {
    ++input_.reports;
    evidence::CollisionTable collisions(intake_.rules_);
    collisions.add(finding);
    const std::vector<evidence::Collision> folded = collisions.sorted();
    for (const evidence::Collision& collision : folded) {
      table_.add(issue_of(collision, intake_.paths_));
    }
    if (folded.empty()) table_.add(issue_of(finding, intake_.paths_, intake_.rules_));
  }
  void on_thread(report::Thread&&, std::uint64_t) override {}
  void on_proof(std::string_view line) override {
    add_once(std::string(line), kProofsMax, &input_.proofs);
  }
  void on_program(std::string_view) override {}
  void on_warning(std::string message) override {
    add_once(std::move(message), kNotesMax, &input_.notes);
  }
  void on_damage(std::string message) override {
    add_once(input_.name + ": " + message, kNotesMax, &input_.damage);
  }
  void on_truncated() override { input_.is_cut_short = true; }

 private:
  const Intake& intake_;
  Input& input_;
  IssueTable& table_;
  bool has_format_ = false;
};

void Intake::add_log(const std::string& path, const std::string& format) {
  input::OnProgress on_progress;
  if (has_cursor(STDERR_FILENO)) on_progress = show_progress;
  const std::size_t inputs_before = inputs_.size();
  note_unread(path, inputs_before, input::for_each_part(path, on_progress, [&](input::Part& part) {
                return add_log_part(part, format);
              }));
}

Result<void> Intake::add_log_part(input::Part& part, const std::string& format) {
  Input input;
  input.name = part.name;
  RunLog run_log;
  EvidenceSink sink(*this, &input, &table_);
  evidence::ReadOptions options;
  options.format = format;
  // What the tests did is in the same text as what the detector said.
  options.on_text = [&](std::string_view bytes) { run_log.feed(bytes); };
  // Levels and rules of a scanner's results decide, which a finding does not have.
  options.on_sarif = [&](const std::string& text) { return add_sarif(text, part.name); };
  Result<void> read = evidence::read_part(part, options, sink);
  run_log.finish();
  take_over(run_log, &input, &input.failures);
  const bool is_scan_only = read && !sink.has_format() && input.damage.empty();
  if (!is_scan_only) inputs_.push_back(std::move(input));
  return read;
}

void Intake::add_scan(const std::string& path) {
  const auto read = [&](input::Part& part) -> Result<void> {
    input::TextInput content(part.content);
    const Result<std::string> text = content.take_all(evidence::kDocumentBytesMax);
    return text ? add_sarif(*text, part.name) : text.error();
  };
  const std::size_t inputs_before = inputs_.size();
  note_unread(path, inputs_before, input::for_each_part(path, {}, read));
}

Result<void> Intake::add_sarif(const std::string& text, const std::string& name) {
  Result<ScanResults> results = read_sarif(text, paths_);
  if (!results) return results.error();
  Input input;
  input.name = name;
  input.is_scan = true;
  input.reports = results->issues.size();
  if (results->proof) input.proofs.push_back(*results->proof);
  input.failures = std::move(results->failures);
  for (Issue& issue : results->issues) table_.add(std::move(issue));
  inputs_.push_back(std::move(input));
  return {};
}

// The Error begins with the name of the file that was not read to its end.
void Intake::note_unread(const std::string& path, std::size_t inputs_before,
                         const Result<void>& read) {
  if (read) return;
  if (inputs_.size() == inputs_before) inputs_.emplace_back().name = path;
  inputs_.back().damage.push_back(read.error().message);
}

Result<void> Intake::add_command(const std::vector<std::string>& arguments) {
  Input input;
  input.name = joined(arguments);
  if (auto proof = proof_of_command(arguments, environment_)) {
    input.proofs.push_back(*std::move(proof));
  }
  if (auto reason = switched_off_by(environment_)) input.failures.push_back(*std::move(reason));

  CommandOutcome outcome;
  outcome.arguments = arguments;
  IssueTable printed;
  EvidenceSink sink(*this, &input, &printed);
  evidence::LogReader out_reader(sink);
  evidence::LogReader err_reader(sink);
  RunLog out_log;
  RunLog err_log;
  const fs::file_time_type start = fs::file_time_type::clock::now();
  std::string buffer;
  const auto feed = [&](std::string_view bytes, evidence::LogReader* reader, RunLog* log) {
    const std::string_view text = input::without_zero_bytes(bytes, &buffer);
    reader->feed(text);
    log->feed(text);
  };
  const Result<CommandResult> result = run_command(
      arguments, [&](std::string_view bytes) { feed(bytes, &out_reader, &out_log); },
      [&](std::string_view bytes) { feed(bytes, &err_reader, &err_log); });
  if (!result) return result.error();
  out_reader.finish();
  err_reader.finish();
  out_log.finish();
  err_log.finish();

  outcome.result = *result;
  take_over(out_log, &input, &outcome.failures);
  take_over(err_log, &input, &outcome.failures);
  outcome.is_explained_by_races =
      (out_log.saw_race() || err_log.saw_race()) && outcome.failures.empty() &&
      (result->exit_code == kSanitizerExitCode || out_log.failures_by_race() > 0);
  const fs::path ctest_log =
      fs::path(out_log.ctest_folder()) / "Testing" / "Temporary" / "LastTest.log";
  if (!out_log.ctest_folder().empty() && is_newer(ctest_log, start)) {
    input.reports = 0;
    printed = IssueTable();  // the log has what was printed, and the rest
    add_ctest_log(ctest_log, &input, &printed, &outcome);
  }
  for (const Issue& issue : printed.issues()) table_.add(issue);
  inputs_.push_back(std::move(input));
  add_log_paths(start);
  command_ = std::move(outcome);
  return {};
}

void Intake::add_ctest_log(const fs::path& file, Input* input, IssueTable* table,
                           CommandOutcome* outcome) {
  EvidenceSink sink(*this, input, table);
  evidence::LogReader reader(sink);
  CtestLog log;
  std::string buffer;
  const Result<void> read = stream_file(file, [&](std::string_view bytes) {
    const std::string_view text = input::without_zero_bytes(bytes, &buffer);
    reader.feed(text);
    log.feed(text);
  });
  reader.finish();
  log.finish();
  if (!read) input->damage.push_back(read.error().message);
  std::size_t instrumented = 0;
  outcome->failures.clear();
  for (const CtestLog::Test& test : log.tests()) {
    if (proof_of_command(test.command, environment_)) ++instrumented;
    if (test.failed && !test.is_explained_by_race) {
      add_once("test " + test.name + " failed, and not only because of a race",
               RunLog::kFailuresMax, &outcome->failures);
    }
  }
  outcome->is_explained_by_races = outcome->failures.empty();
  const std::string count =
      std::to_string(instrumented) + " of " + std::to_string(log.tests().size());
  if (instrumented != 0) {
    input->proofs.push_back(count + " test commands run a program with a race detector");
  }
  if (instrumented != log.tests().size()) {
    input->notes.push_back("only " + count +
                           " test commands are seen to run a program with a race detector");
  }
}

// What detectors wrote beside the output while the command ran.
void Intake::add_log_paths(fs::file_time_type start) {
  for (const std::string& path : log_paths_of(environment_)) {
    for (const std::string& file : expand_glob(path + ".*")) {
      if (!is_newer(file, start)) continue;
      add_log(file, "");
    }
  }
}

std::vector<std::string> expand_glob(const std::string& pattern) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(pattern, error))) return {pattern};
  glob_t matches = {};
  std::vector<std::string> files;
  if (glob(pattern.c_str(), 0, nullptr, &matches) == 0) {
    files.assign(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
  }
  globfree(&matches);
  return files;
}

}  // namespace vigil::tools::gate
