// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/policy.h"

#include <algorithm>
#include <array>

#include "vigil/base/check.h"
#include "vigil/text/toml_reader.h"
#include "vigil/text/visible.h"

namespace vigil::tools::gate {
namespace {

constexpr std::array<std::string_view, 3> kLevels = {"error", "warning", "note"};

Result<StagePolicy> read_stage(const toml::table& table, std::string_view name) {
  text::TomlReader reader(name, table);
  StagePolicy stage;
  stage.name = reader.text("name");
  stage.detector = reader.text("detector");
  stage.event_chains_to_block = reader.count("event_chains_to_block").value_or(1);
  stage.scan_levels_to_block = reader.texts("scan_levels_to_block");
  stage.scan_rules_to_block = reader.texts("scan_rules_to_block");
  if (stage.name.empty()) reader.fail("name", "a stage needs a name");
  for (const std::string& level : stage.scan_levels_to_block) {
    if (std::find(kLevels.begin(), kLevels.end(), level) == kLevels.end()) {
      reader.fail("scan_levels_to_block",
                  "\"" + level + "\" is no level of SARIF; there are error, warning, note");
    }
  }
  if (Result<void> done = reader.finish(); !done) return done.error();
  return stage;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : ", ").append(word);
  return text;
}

std::string explain_stage(const StagePolicy& stage) {
  std::string text = text::visible_text(stage.name + ": " + stage.detector) + "\n";
  switch (stage.event_chains_to_block) {
    case 0:
      text += "  races: reported, none blocks\n";
      break;
    case 1:
      text += "  races: any one blocks\n";
      break;
    default:
      text += "  races: " + std::to_string(stage.event_chains_to_block) +
              " or more distinct event chains block, fewer are reported\n";
  }
  if (!stage.scan_levels_to_block.empty()) {
    text +=
        "  static analysis: results of these levels block: " + joined(stage.scan_levels_to_block) +
        "\n";
  }
  if (!stage.scan_rules_to_block.empty()) {
    text += "  static analysis: results of these rules block at any level: " +
            text::visible_text(joined(stage.scan_rules_to_block)) + "\n";
  }
  return text;
}

}  // namespace

Result<Policy> Policy::parse(std::string_view toml, std::string_view name) {
  const Result<toml::table> root = text::parse_toml(toml, name);
  if (!root) return root.error();
  text::TomlReader reader(name, *root);
  Policy policy;
  if (const toml::table* pipeline = reader.table("pipeline")) {
    text::TomlReader pipeline_reader(name, *pipeline);
    policy.stop_at_write_write = pipeline_reader.flag("stop_at_write_write").value_or(true);
    if (Result<void> done = pipeline_reader.finish(); !done) return done.error();
  }
  for (const toml::table* table : reader.tables("stage")) {
    Result<StagePolicy> stage = read_stage(*table, name);
    if (!stage) return stage.error();
    if (policy.stage(stage->name)) {
      reader.fail("stage", "there are two stages named \"" + stage->name + "\"");
    }
    policy.stages.push_back(*std::move(stage));
  }
  if (policy.stages.empty()) reader.fail("stage", "a policy needs a [[stage]]");
  if (Result<void> done = reader.finish(); !done) return done.error();
  return policy;
}

Policy Policy::defaults() {
  Result<Policy> policy = parse(default_text(), "default_policy.toml");
  VIGIL_CHECK(policy.has_value(), "the built-in policy is well formed");
  return *std::move(policy);
}

Result<StagePolicy> Policy::stage(std::string_view name) const {
  std::vector<std::string> names;
  for (const StagePolicy& stage : stages) {
    if (stage.name == name) return stage;
    names.push_back(stage.name);
  }
  return Error{"the policy has no stage \"" + std::string(name) + "\"; it has: " + joined(names)};
}

std::string explain(const Policy& policy, std::string_view stage) {
  std::string text;
  for (const StagePolicy& each : policy.stages) {
    if (stage.empty() || each.name == stage) text += explain_stage(each);
  }
  text += "In every stage:\n";
  text += policy.stop_at_write_write
              ? "  a write-write conflict blocks and stops the pipeline at once; after anything "
                "else the next\n  stage runs\n"
              : "  the next stage runs whatever was found\n";
  text +=
      "  a run does not pass, and no later stage runs, if it cannot prove that its detector ran, "
      "if\n"
      "  it ran no test, or if its command failed for another reason than a race\n"
      "  known conflicts (--baseline) and suppressed ones (--suppressions) are reported, not "
      "counted\n";
  return text;
}

}  // namespace vigil::tools::gate
