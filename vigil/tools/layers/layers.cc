// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/layers/layers.h"

#include <algorithm>
#include <array>
#include <utility>

#include "vigil/base/check.h"
#include "vigil/base/files.h"
#include "vigil/text/toml_reader.h"
#include "vigil/tools/layers/plain_name.h"

namespace vigil::tools::layers {

namespace {

// In the order of the enumeration.
constexpr std::array<std::string_view, 9> kNames = {
    "application",     "HTTP handler", "request context", "middleware", "application cache",
    "third-party SDK", "timer/cron",   "initialisation",  "runtime",
};
static_assert(static_cast<std::size_t>(Layer::kRuntime) + 1 == kNames.size());

std::string names_of_layers() {
  std::string names;
  for (const std::string_view name : kNames) {
    names.append(names.empty() ? "\"" : ", \"").append(name).append("\"");
  }
  return names;
}

// Reads the patterns of one key.
std::vector<std::string> read_patterns(std::string_view key, text::TomlReader* reader) {
  std::vector<std::string> patterns = reader->texts(key);
  const bool has_empty =
      std::any_of(patterns.begin(), patterns.end(), [](const std::string& p) { return p.empty(); });
  if (has_empty || (patterns.empty() && reader->has(key))) {
    reader->fail(key, "expected patterns that are not empty, like [\"*cron*\"]");
  }
  return patterns;
}

// Reads one [[rule]].
Result<Rule> read_rule(const toml::table& table, std::string_view name) {
  text::TomlReader reader(name, table);
  Rule rule;
  rule.origin = std::string(name) + ":" + std::to_string(table.source().begin.line);
  if (const auto layer = layer_from(reader.text("layer"))) {
    rule.layer = *layer;
  } else {
    reader.fail("layer", "expected one of " + names_of_layers());
  }
  rule.functions = read_patterns("functions", &reader);
  rule.files = read_patterns("files", &reader);
  rule.library = reader.flag("library").value_or(false);
  if (rule.functions.empty() && rule.files.empty()) {
    reader.fail("functions", "the rule has neither functions nor files");
  }
  if (Result<void> done = reader.finish(); !done) return done.error();
  return rule;
}

bool matches_any(const std::vector<std::string>& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return name_matches(pattern, text); });
}

// Of a frame without a name only the file is known that it was loaded from.
bool is_library_module(std::string_view module) {
  static constexpr std::array<std::string_view, 10> kModules = {
      "libc.so*",  "libstdc++*", "libc++*",  "libtsan*",  "libpthread*",
      "libgcc_s*", "ld-linux*",  "libm.so*", "libdl.so*", "vgpreload_*"};
  const std::string_view name = module.substr(module.rfind('/') + 1);
  return std::any_of(kModules.begin(), kModules.end(),
                     [&](std::string_view pattern) { return name_matches(pattern, name); });
}

// A place in such a layer is the layer of the whole stack.
bool decides_as_place(Layer layer) {
  return layer == Layer::kRequestContext || layer == Layer::kMiddleware ||
         layer == Layer::kThirdPartySdk;
}

// In such a layer's name its callees run.
bool decides_for_callees(Layer layer) {
  return layer == Layer::kHttpHandler || layer == Layer::kMiddleware ||
         layer == Layer::kThirdPartySdk || layer == Layer::kTimerCron ||
         layer == Layer::kInitialisation;
}

}  // namespace

std::string_view to_string(Layer layer) { return kNames.at(static_cast<std::size_t>(layer)); }

std::optional<Layer> layer_from(std::string_view name) {
  const auto* found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Layer>(found - kNames.begin());
}

Result<Rules> Rules::parse(std::string_view toml, std::string_view name) {
  const Result<toml::table> root = text::parse_toml(toml, name);
  if (!root) return root.error();
  text::TomlReader reader(name, *root);
  Rules rules;
  for (const toml::table* table : reader.tables("rule")) {
    Result<Rule> rule = read_rule(*table, name);
    if (!rule) return rule.error();
    rules.rules_.push_back(*std::move(rule));
  }
  if (Result<void> done = reader.finish(); !done) return done.error();
  return rules;
}

const Rules& Rules::defaults() {
  static const Rules built_in = [] {
    Result<Rules> parsed = parse(default_text(), "defaults");
    VIGIL_CHECK(parsed.has_value(), "the built-in layers are not valid");
    return *std::move(parsed);
  }();
  return built_in;
}

Result<Rules> Rules::with_defaults(const std::string& path) {
  const Result<std::string> text = read_file(path, kConfigurationBytesMax);
  if (!text) return text.error();
  Result<Rules> rules = parse(*text, path);
  if (!rules) return rules;
  const std::vector<Rule>& built_in = defaults().rules_;
  rules->rules_.insert(rules->rules_.end(), built_in.begin(), built_in.end());
  return rules;
}

const Rule* Rules::match(const report::Frame& frame) const {
  const std::string function = plain_name(frame.function);
  for (const Rule& rule : rules_) {
    if (!rule.functions.empty() && !matches_any(rule.functions, function)) continue;
    if (!rule.files.empty() && !matches_any(rule.files, frame.file)) continue;
    return &rule;
  }
  return nullptr;
}

Layer Rules::layer_of(const report::Frame& frame) const {
  const Rule* rule = match(frame);
  return rule == nullptr ? Layer::kApplication : rule->layer;
}

bool Rules::is_library(const report::Frame& frame) const {
  if (frame.function.empty()) return frame.file.empty() && is_library_module(frame.module);
  const Rule* rule = match(frame);
  return rule != nullptr && rule->library;
}

Attribution Rules::attribute(const report::Stack& stack, const report::Stack& created_at) const {
  Attribution result;
  for (; result.place < stack.size(); ++result.place) {
    if (!is_library(stack[result.place])) break;
  }
  result.has_place = result.place < stack.size();
  const std::size_t first = result.has_place ? result.place : 0;
  result.place = first;
  if (result.has_place) {
    result.layer = layer_of(stack[first]);
    if (decides_as_place(result.layer)) return result;
  }
  for (const report::Stack* part : {&stack, &created_at}) {
    for (std::size_t i = part == &stack ? first : 0; i < part->size(); ++i) {
      const Layer layer = layer_of((*part)[i]);
      if (!decides_for_callees(layer)) continue;
      result.layer = layer;
      if (part != &stack || i != first) result.entry = (*part)[i].function;
      return result;
    }
  }
  const bool has_names = std::any_of(stack.begin(), stack.end(), [](const report::Frame& frame) {
    return !frame.function.empty();
  });
  if (!result.has_place && has_names) result.layer = Layer::kRuntime;
  return result;
}

}  // namespace vigil::tools::layers
