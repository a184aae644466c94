// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/gate_command.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "vigil/base/clock.h"
#include "vigil/base/files.h"
#include "vigil/tools/command.h"
#include "vigil/tools/gate/gate_options.h"
#include "vigil/tools/gate/output/outputs.h"
#include "vigil/tools/input/project_folder.h"
#include "vigil/tools/output_file.h"
#include "vigil/tools/terminal.h"

namespace vigil::tools {
namespace {

using gate::GateOptions;
using gate::Verdict;

int report_error(int exit_code, const Error& error) {
  complain("vigil gate", error);
  return exit_code;
}

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string first_set(std::initializer_list<const char*> names) {
  for (const char* const name : names) {
    if (std::string value = environment(name); !value.empty()) return value;
  }
  return {};
}

std::string run_id_of(const GateOptions& options) {
  if (!options.run_id.empty()) return options.run_id;
  if (const std::string run = environment("GITHUB_RUN_ID"); !run.empty()) {
    return run + "-" + environment("GITHUB_RUN_ATTEMPT") + "-" + environment("GITHUB_JOB");
  }
  const std::string job = first_set({"CI_JOB_ID", "BUILD_TAG"});
  return job.empty() ? std::to_string(unix_ms()) + "-" + std::to_string(getpid()) : job;
}

std::chrono::year_month_day today_of(const GateOptions& options) {
  return options.today.value_or(std::chrono::year_month_day(
      std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now())));
}

// The text of the policy, the built-in one if no file is given.
Result<std::string> policy_text_of(const std::string& file) {
  if (file.empty()) return std::string(gate::Policy::default_text());
  return read_file(file, kConfigurationBytesMax);
}

Result<gate::Policy> policy_of(const std::string& file) {
  const Result<std::string> text = policy_text_of(file);
  if (!text) return text.error();
  return gate::Policy::parse(*text, file.empty() ? "default_policy.toml" : file);
}

Result<layers::Rules> layers_of(const std::string& file) {
  return file.empty() ? Result<layers::Rules>(layers::Rules::defaults())
                      : layers::Rules::with_defaults(file);
}

Result<gate::Suppressions> suppressions_of(const std::vector<std::string>& files) {
  gate::Suppressions suppressions;
  for (const std::string& file : files) {
    const Result<std::string> text = read_file(file, kConfigurationBytesMax);
    if (!text) return text.error();
    if (Result<void> added = suppressions.add(*text, file); !added) return added.error();
  }
  return suppressions;
}

Result<gate::Baseline> baseline_of(const std::string& file) {
  if (file.empty()) return gate::Baseline();
  const Result<std::string> text = read_file(file);
  if (!text) return text.error();
  return gate::Baseline::parse(*text, file);
}

// The files that a --log or --scan names. A pattern without a file is a mistake: its tests may
// never have run.
Result<std::vector<std::string>> files_of(const std::vector<std::string>& patterns) {
  std::vector<std::string> files;
  for (const std::string& pattern : patterns) {
    if (pattern == "-") {
      files.push_back(pattern);
      continue;
    }
    const std::vector<std::string> matches = gate::expand_glob(pattern);
    if (matches.empty()) return Error{pattern + ": no such file"};
    files.insert(files.end(), matches.begin(), matches.end());
  }
  return files;
}

Result<void> take_in(const GateOptions& options, gate::Intake* intake) {
  if (!options.command.empty()) {
    if (Result<void> done = intake->add_command(options.command); !done) return done.error();
  }
  const Result<std::vector<std::string>> logs = files_of(options.logs);
  if (!logs) return logs.error();
  for (const std::string& file : *logs) intake->add_log(file, options.format);
  const Result<std::vector<std::string>> scans = files_of(options.scans);
  if (!scans) return scans.error();
  for (const std::string& file : *scans) intake->add_scan(file);
  return {};
}

Result<void> write_files(const GateOptions& options, const Verdict& verdict, bool on_github) {
  struct Output {
    std::string file;
    std::string (*make)(const Verdict&);
    Result<void> (*write)(const std::string& path, std::string_view text);
  };
  const Output outputs[] = {
      {options.sarif_file, gate::to_sarif, write_file},
      {options.junit_file, gate::to_junit, write_file},
      {options.summary_file, gate::to_markdown, append_file},
      {on_github ? environment("GITHUB_STEP_SUMMARY") : "", gate::to_markdown, append_file},
  };
  for (const Output& output : outputs) {
    if (output.file.empty()) continue;
    Result<void> written = output.write(output.file, output.make(verdict));
    if (!written) return written.error();
  }
  if (options.json_file.empty()) return {};
  return write_output(options.json_file, gate::to_json(verdict));
}

// The standard output belongs to the wrapped command, and to --json -.
void print(const GateOptions& options, const Verdict& verdict, bool on_github) {
  std::FILE* const stream = options.command.empty() && options.json_file != "-" ? stdout : stderr;
  std::string text = gate::to_text(verdict, {.colour = has_colour(fileno(stream))});
  if (on_github) text.insert(0, gate::to_annotations(verdict));
  std::fwrite(text.data(), 1, text.size(), stream);
}

// Everything that can be wrong with the configuration is found before the tests run.
struct Configuration {
  gate::Policy policy;
  gate::StagePolicy stage;
  layers::Rules rules;
  gate::Suppressions suppressions;
  gate::Baseline baseline;
};

Result<Configuration> configuration_of(const GateOptions& options) {
  Result<gate::Policy> policy = policy_of(options.policy_file);
  if (!policy) return policy.error();
  Result<gate::StagePolicy> stage = policy->stage(options.stage);
  if (!stage) return stage.error();
  Result<layers::Rules> rules = layers_of(options.layers_file);
  if (!rules) return rules.error();
  Result<gate::Suppressions> suppressions = suppressions_of(options.suppression_files);
  if (!suppressions) return suppressions.error();
  Result<gate::Baseline> baseline = baseline_of(options.baseline_file);
  if (!baseline) return baseline.error();
  return Configuration{*std::move(policy), *std::move(stage), *std::move(rules),
                       *std::move(suppressions), *std::move(baseline)};
}

int judge(const GateOptions& options) {
  Result<Configuration> configuration = configuration_of(options);
  if (!configuration) return report_error(kUsage, configuration.error());
  const gate::SourcePaths paths(input::project_root(options.root));
  gate::Intake intake(configuration->rules, paths, environment);
  if (Result<void> done = take_in(options, &intake); !done) {
    return report_error(kUsage, done.error());
  }

  const std::chrono::year_month_day today = today_of(options);
  std::vector<gate::Issue> issues = intake.issues();
  gate::Suppressions& suppressions = configuration->suppressions;
  suppressions.apply(today, &issues);
  gate::Baseline baseline = configuration->baseline;
  std::vector<std::string> notes = gate::notes_about(suppressions, today);
  if (!options.write_baseline_file.empty()) {
    baseline = baseline.updated(issues, today);
    Result<void> written = write_file(options.write_baseline_file, baseline.to_json());
    if (!written) return report_error(kInternal, written.error());
  }
  baseline.apply(&issues);
  for (std::string& note : gate::notes_about(baseline, issues)) notes.push_back(std::move(note));
  if (intake.issues_left_out() != 0) {
    notes.push_back(std::to_string(intake.issues_left_out()) + " findings were too many to list");
  }

  Verdict verdict =
      gate::judge({configuration->stage, configuration->policy.stop_at_write_write,
                   options.trust_log, std::move(issues), intake.inputs(), intake.command()});
  verdict.notes.insert(verdict.notes.end(), notes.begin(), notes.end());
  verdict.run_id = run_id_of(options);
  const bool on_github = options.annotations == GateOptions::Annotations::kAlways ||
                         (options.annotations == GateOptions::Annotations::kAuto &&
                          environment("GITHUB_ACTIONS") == "true");
  print(options, verdict, on_github);
  if (Result<void> written = write_files(options, verdict, on_github); !written) {
    return report_error(kInternal, written.error());
  }
  if (verdict.has_damaged_input) return kUsage;
  return verdict.outcome == gate::Outcome::kPassed ? kClean : kFindings;
}

int run_explain(std::span<const char* const> arguments) {
  const Result<gate::ExplainInvocation> invocation = gate::parse_explain_options(arguments);
  if (!invocation) return report_error(kUsage, invocation.error());
  if (invocation->help) {
    std::fputs(invocation->help->c_str(), stdout);
    return kClean;
  }
  const gate::ExplainOptions& options = invocation->options;
  // Read once: it may be a pipe.
  const Result<std::string> toml = policy_text_of(options.policy_file);
  if (!toml) return report_error(kUsage, toml.error());
  const Result<gate::Policy> policy = gate::Policy::parse(*toml, options.policy_file);
  if (!policy) return report_error(kUsage, policy.error());
  if (!options.stage.empty()) {
    const Result<gate::StagePolicy> stage = policy->stage(options.stage);
    if (!stage) return report_error(kUsage, stage.error());
  }
  const std::string text = options.toml ? *toml : gate::explain(*policy, options.stage);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return kClean;
}

// `next` and `verdict`: whether `holds` for every verdict in the files.
int check_verdicts(std::span<const char* const> files, bool (*holds)(const gate::PastVerdict&),
                   std::string_view if_not) {
  if (files.empty()) {
    return report_error(kUsage, Error{"which verdicts? give the files that --json wrote"});
  }
  int exit_code = kClean;
  for (const char* const file : files) {
    const Result<std::string> text = read_file(file);
    if (!text) return report_error(kUsage, text.error());
    const Result<gate::PastVerdict> past = gate::past_verdict_from_json(*text, file);
    if (!past) return report_error(kUsage, past.error());
    const bool good = holds(*past);
    std::printf("vigil gate: %s: %s\n", output_line(past->stage).c_str(),
                good ? "yes" : std::string(if_not).c_str());
    if (!good) exit_code = kFindings;
  }
  return exit_code;
}

}  // namespace

int run_gate(std::span<const char* const> arguments) {
  const std::string_view subject = arguments.empty() ? "" : arguments.front();
  if (subject == "explain") return run_explain(arguments.subspan(1));
  if (subject == "next") {
    return check_verdicts(
        arguments.subspan(1), [](const gate::PastVerdict& past) { return past.next_stage_may_run; },
        "the pipeline stops here");
  }
  if (subject == "verdict") {
    return check_verdicts(
        arguments.subspan(1), [](const gate::PastVerdict& past) { return past.passed; }, "blocked");
  }
  const Result<gate::GateInvocation> invocation = gate::parse_gate_options(arguments);
  if (!invocation) return report_error(kUsage, invocation.error());
  if (invocation->help) {
    std::fputs(invocation->help->c_str(), stdout);
    return kClean;
  }
  return judge(invocation->options);
}

}  // namespace vigil::tools
