// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/gate_options.h"

#include <algorithm>
#include <string_view>

#include <CLI/CLI.hpp>

#include "vigil/tools/gate/suppression.h"

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

std::vector<const char*> words_of(const char* program, std::span<const char* const> arguments) {
  std::vector<const char*> words = {program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

void define_inputs(CLI::App* app, GateOptions* options) {
  app->add_option("--stage", options->stage, "stage of the policy: unit, integration, predeploy")
      ->option_text("NAME");
  app->add_option(
         "--log", options->logs,
         "race log, report or test output, also compressed, an archive or a pipe; wildcards "
         "are expanded; repeatable")
      ->option_text("FILE|GLOB")
      ->expected(1)
      ->take_all();
  app->add_option("--scan", options->scans,
                  "SARIF of a static scanner; wildcards are expanded; repeatable")
      ->option_text("FILE|GLOB")
      ->expected(1)
      ->take_all();
  app->add_option("--format", options->format,
                  "read logs as this format only (vigil triage --list-formats)")
      ->option_text("NAME");
  app->add_flag("--trust-log", options->trust_log,
                "let a log pass that cannot prove that the detector ran");
  app->add_option("--policy", options->policy_file, "policy file instead of the built-in policy")
      ->option_text("FILE");
  app->add_option("--baseline", options->baseline_file, "issues known before; they do not block")
      ->option_text("FILE");
  app->add_option("--write-baseline", options->write_baseline_file,
                  "accept what this run finds: write it as a baseline")
      ->option_text("FILE");
  app->add_option("--suppressions", options->suppression_files,
                  "suppressions with owner, reason and expiry; repeatable")
      ->option_text("FILE")
      ->expected(1)
      ->take_all();
  app->add_option("--layers", options->layers_file, "rules of layers before the built-in ones")
      ->option_text("FILE");
}

void define_outputs(CLI::App* app, GateOptions* options, std::string* today,
                    std::string* annotations) {
  app->add_option("--sarif", options->sarif_file, "write SARIF 2.1.0")->option_text("FILE");
  app->add_option("--junit", options->junit_file, "write JUnit XML")->option_text("FILE");
  app->add_option("--summary", options->summary_file, "append a Markdown summary")
      ->option_text("FILE");
  app->add_option("--json", options->json_file, "write the verdict; - is the standard output")
      ->option_text("FILE|-");
  app->add_option("--annotations", *annotations,
                  "auto: on GitHub, annotate the change and fill the step summary; always; never")
      ->option_text("WHEN")
      ->check(CLI::IsMember({"auto", "always", "never"}));
  app->add_option("--root", options->root, "what file names are relative to; default: the checkout")
      ->option_text("DIR");
  app->add_option("--run-id", options->run_id, "names this run in SARIF; default: the CI job")
      ->option_text("TEXT");
  app->add_option("--today", *today, "judge expiry dates as of this day")
      ->option_text("YYYY-MM-DD");
}

Result<void> check(const GateOptions& options) {
  if (options.stage.empty()) return Error{"--stage is missing; see vigil gate explain"};
  if (options.logs.empty() && options.scans.empty() && options.command.empty()) {
    return Error{"nothing to judge: give --log, --scan or a command after --"};
  }
  return {};
}

// Parses; gives the help text if that was asked for.
Result<std::optional<std::string>> parse(CLI::App* app, const std::vector<const char*>& words) {
  try {
    app->parse(static_cast<int>(words.size()), words.data());
  } catch (const CLI::CallForHelp&) {
    return std::optional<std::string>(app->help());
  } catch (const CLI::ParseError& error) {
    return Error{std::string(error.what()) + "; see --help"};
  }
  return std::optional<std::string>();
}

}  // namespace

Result<GateInvocation> parse_gate_options(std::span<const char* const> arguments) {
  GateInvocation invocation;
  GateOptions& options = invocation.options;
  const auto separator = std::find_if(arguments.begin(), arguments.end(), [](const char* argument) {
    return std::string_view(argument) == "--";
  });
  const auto own = arguments.first(static_cast<std::size_t>(separator - arguments.begin()));
  if (separator != arguments.end()) options.command.assign(separator + 1, arguments.end());
  if (separator != arguments.end() && options.command.empty()) {
    return Error{"a command is missing after --"};
  }
  CLI::App app("Decides whether a change may pass a stage of the pipeline.", "vigil gate");
  std::string today;
  std::string annotations = "auto";
  define_inputs(&app, &options);
  define_outputs(&app, &options, &today, &annotations);
  app.footer(kGateHelp);
  app.get_formatter()->column_width(34);
  Result<std::optional<std::string>> help = parse(&app, words_of("vigil gate", own));
  if (!help) return help.error();
  invocation.help = *std::move(help);
  if (invocation.help) return invocation;
  if (!today.empty()) {
    const Result<std::chrono::year_month_day> date = date_from(today);
    if (!date) return Error{"--today: " + date.error().message};
    options.today = *date;
  }
  if (annotations == "always") options.annotations = GateOptions::Annotations::kAlways;
  if (annotations == "never") options.annotations = GateOptions::Annotations::kNever;
  if (Result<void> checked = check(options); !checked) return checked.error();
  return invocation;
}

Result<ExplainInvocation> parse_explain_options(std::span<const char* const> arguments) {
  ExplainInvocation invocation;
  ExplainOptions& options = invocation.options;
  CLI::App app("Says what blocks a change at which stage.", "vigil gate explain");
  app.add_option("--stage", options.stage, "only this stage")->option_text("NAME");
  app.add_option("--policy", options.policy_file, "policy file instead of the built-in policy")
      ->option_text("FILE");
  app.add_flag("--toml", options.toml, "print the policy file itself");
  app.footer(kExplainHelp);
  Result<std::optional<std::string>> help = parse(&app, words_of("vigil gate explain", arguments));
  if (!help) return help.error();
  invocation.help = *std::move(help);
  return invocation;
}

}  // namespace vigil::tools::gate
