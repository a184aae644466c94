// SPDX-License-Identifier: Apache-2.0
//
// Intake: everything that a run of the gate judges is collected here: logs, results of scanners,
// and what the wrapped command prints.
//
// Thread safety: none. Memory: bounded by kIssuesMax distinct issues; logs are streamed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/tools/evidence/evidence.h"
#include "vigil/tools/gate/command.h"
#include "vigil/tools/gate/detector_proof.h"
#include "vigil/tools/gate/issue.h"
#include "vigil/tools/gate/run_log.h"

namespace vigil::tools::gate {

// One source of evidence and what it says besides its issues.
struct Input {
  std::string name;  // a path, or the command line
  bool is_scan = false;
  std::vector<std::string> proofs;
  std::optional<std::uint64_t> tests_run;
  std::uint64_t reports = 0;
  bool is_cut_short = false;
  // What was not read to its end or not understood ("race.log: line 3: ..."): it may hold a race.
  std::vector<std::string> damage;
  std::vector<std::string> failures;  // why the run does not count as complete
  std::vector<std::string> notes;

  friend bool operator==(const Input&, const Input&) = default;
};

struct CommandOutcome {
  std::vector<std::string> arguments;
  CommandResult result;
  // Of a command that failed.
  std::vector<std::string> failures;   // what failed, and not because of a race
  bool is_explained_by_races = false;  // nothing else than races failed
};

// Issues by fingerprint, with their occurrences added up.
class IssueTable {
 public:
  static constexpr std::size_t kIssuesMax = 100'000;

  void add(Issue issue);
  [[nodiscard]] const std::vector<Issue>& issues() const { return issues_; }
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }

 private:
  std::vector<Issue> issues_;  // in the order of arrival
  std::unordered_map<std::string, std::size_t> index_of_;
  std::uint64_t left_out_ = 0;
};

class Intake {
 public:
  // All outlive the intake.
  Intake(const layers::Rules& rules, const SourcePaths& paths, Environment environment)
      : rules_(rules), paths_(paths), environment_(std::move(environment)) {}

  // A race log, a report, a dump: any format of vigil/tools/evidence, or just the output of tests;
  // compressed ones, and archives of such files, each of which is an Input of its own. SARIF counts
  // as results of a scanner. What cannot be read or understood is damage of an Input.
  void add_log(const std::string& path, const std::string& format);
  void add_scan(const std::string& path);
  // Runs the command. Error: it cannot be started.
  Result<void> add_command(const std::vector<std::string>& arguments);

  [[nodiscard]] const std::vector<Issue>& issues() const { return table_.issues(); }
  [[nodiscard]] const std::vector<Input>& inputs() const { return inputs_; }
  [[nodiscard]] const std::optional<CommandOutcome>& command() const { return command_; }
  [[nodiscard]] std::uint64_t issues_left_out() const { return table_.left_out(); }

 private:
  class EvidenceSink;

  Result<void> add_log_part(input::Part& part, const std::string& format);
  Result<void> add_sarif(const std::string& text, const std::string& name);
  void note_unread(const std::string& path, std::size_t inputs_before, const Result<void>& read);
  void add_ctest_log(const std::filesystem::path& file, Input* input, IssueTable* table,
                     CommandOutcome* outcome);
  void add_log_paths(std::filesystem::file_time_type start);

  const layers::Rules& rules_;
  const SourcePaths& paths_;
  Environment environment_;
  IssueTable table_;
  std::vector<Input> inputs_;
  std::optional<CommandOutcome> command_;
};

// The file of exactly that name, else the files that the pattern names, sorted; none if there is
// none. Only *, ? and [] in it are special.
std::vector<std::string> expand_glob(const std::string& pattern);

}  // namespace vigil::tools::gate
