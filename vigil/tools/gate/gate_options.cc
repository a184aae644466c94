// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/gate_options.h"

#include <string_view>
#include <utility>

#include "vigil/tools/gate/suppression.h"
#include "vigil/tools/options/options.h"

namespace vigil::tools::gate {
namespace {

constexpr const char* kGateHelp = R"(Examples:
  vigil gate --stage unit -- go test -race ./...
  vigil gate --stage unit --sarif gate.sarif --junit gate.xml -- ctest --test-dir build/tsan
  vigil gate --stage integration --log 'logs/tsan.*'
  vigil gate --stage predeploy --scan scan.sarif
  vigil gate explain --stage integration
  vigil gate next unit.json && vigil gate --stage integration --log race.log
  vigil gate verdict unit.json integration.json predeploy.json

Other subjects:
  vigil gate explain [--stage S] [--policy F] [--toml]   the policy in words, or as a file
  vigil gate next FILE...      0 if the verdicts in these --json files let the next stage run,
                               else 1
  vigil gate verdict FILE...   0 if all of them passed, else 1

Exit codes: 0 passed, 1 blocked, 2 usage, configuration, or an input that was not read to its end
or not understood, 3 internal.)";

constexpr const char* kExplainHelp = R"(Examples:
  vigil gate explain
  vigil gate explain --stage integration --policy gate.toml
  vigil gate explain --toml > gate.toml      a policy file to start from)";

// Values that are not what GateOptions holds.
struct Texts {
  std::string today;
  std::string annotations = "auto";
};

std::vector<Option> options_of(GateOptions* options, Texts* texts) {
  return {
      {"--stage", "NAME", "stage of the policy: unit, integration, predeploy",
       store_text(&options->stage)},
      {"--log", "FILE|GLOB",
       "race log, report or test output, also compressed, an archive or a pipe;\n"
       "wildcards are expanded; repeatable",
       store_paths(&options->logs)},
      {"--scan", "FILE|GLOB", "SARIF of a static scanner; wildcards are expanded; repeatable",
       store_paths(&options->scans)},
      {"--format", "NAME", "read logs as this format only (vigil triage --list-formats)",
       store_text(&options->format)},
      {"--trust-log", "", "let a log pass that cannot prove that the detector ran",
       store_flag(&options->trust_log)},
      {"--policy", "FILE", "policy file instead of the built-in policy",
       store_path(&options->policy_file)},
      {"--baseline", "FILE", "issues known before; they do not block",
       store_path(&options->baseline_file)},
      {"--write-baseline", "FILE", "accept what this run finds: write it as a baseline",
       store_path(&options->write_baseline_file)},
      {"--suppressions", "FILE", "suppressions with owner, reason and expiry; repeatable",
       store_paths(&options->suppression_files)},
      {"--layers", "FILE", "rules of layers before the built-in ones",
       store_path(&options->layers_file)},
      {"--sarif", "FILE", "write SARIF 2.1.0", store_path(&options->sarif_file)},
      {"--junit", "FILE", "write JUnit XML", store_path(&options->junit_file)},
      {"--summary", "FILE", "append a Markdown summary", store_path(&options->summary_file)},
      {"--json", "FILE|-", "write the verdict; - is the standard output",
       store_path(&options->json_file)},
      {"--annotations", "WHEN",
       "auto: on GitHub, annotate the change and fill the step summary;\nalways; never",
       store_choice(&texts->annotations, {"auto", "always", "never"})},
      {"--root", "DIR", "what file names are relative to; default: the checkout",
       store_path(&options->root)},
      {"--run-id", "TEXT", "names this run in SARIF; default: the CI job",
       store_text(&options->run_id)},
      {"--today", "YYYY-MM-DD", "judge expiry dates as of this day", store_text(&texts->today)},
  };
}

Result<void> check(const GateOptions& options) {
  if (options.stage.empty()) return Error{"--stage is missing; see vigil gate explain"};
  if (options.logs.empty() && options.scans.empty() && options.command.empty()) {
    return Error{"nothing to judge: give --log, --scan or a command after --"};
  }
  return {};
}

}  // namespace

Result<GateInvocation> parse_gate_options(std::span<const char* const> arguments) {
  GateInvocation invocation;
  GateOptions& options = invocation.options;
  Texts texts;
  const std::vector<Option> table = options_of(&options, &texts);
  Result<ParsedArguments> parsed = parse_options(table, arguments, Operands::kCommand);
  if (!parsed) return parsed.error();
  if (parsed->help) {
    invocation.help = command_help("vigil gate [OPTIONS] [-- COMMAND...]",
                                   "Decides whether a change may pass a stage of the pipeline.",
                                   table, kGateHelp);
    return invocation;
  }
  options.command = std::move(parsed->operands);
  if (parsed->has_separator && options.command.empty()) {
    return Error{"a command is missing after --"};
  }
  if (!texts.today.empty()) {
    const Result<std::chrono::year_month_day> date = date_from(texts.today);
    if (!date) return Error{"--today: " + date.error().message};
    options.today = *date;
  }
  if (texts.annotations == "always") options.annotations = GateOptions::Annotations::kAlways;
  if (texts.annotations == "never") options.annotations = GateOptions::Annotations::kNever;
  if (Result<void> checked = check(options); !checked) return checked.error();
  return invocation;
}

Result<ExplainInvocation> parse_explain_options(std::span<const char* const> arguments) {
  ExplainInvocation invocation;
  ExplainOptions& options = invocation.options;
  const std::vector<Option> table = {
      {"--stage", "NAME", "only this stage", store_text(&options.stage)},
      {"--policy", "FILE", "policy file instead of the built-in policy",
       store_path(&options.policy_file)},
      {"--toml", "", "print the policy file itself", store_flag(&options.toml)},
  };
  const Result<ParsedArguments> parsed = parse_options(table, arguments, Operands::kNone);
  if (!parsed) return parsed.error();
  if (parsed->help) {
    invocation.help =
        command_help("vigil gate explain [OPTIONS]", "Says what blocks a change at which stage.",
                     table, kExplainHelp);
  }
  return invocation;
}

}  // namespace vigil::tools::gate
