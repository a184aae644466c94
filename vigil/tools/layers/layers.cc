// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/layers/layers.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include "vigil/base/check.h"
#include "vigil/text/toml_text.h"
#include "vigil/tools/layers/function_name.h"

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

std::string position(std::string_view name, const toml::source_region& where) {
  return std::string(name) + ":" + std::to_string(where.begin.line);
}

Error error_at(std::string_view name, const toml::source_region& where, std::string_view message) {
  return Error{position(name, where).append(": ").append(message)};
}

// Reads one [[rule]].
class RuleReader {
 public:
  explicit RuleReader(std::string_view name) : name_(name) {}

  Result<Rule> read(const toml::table& table) const {
    Rule rule;
    rule.origin = position(name_, table.source());
    bool has_layer = false;
    for (const auto& [key, node] : table) {
      Result<void> done = read_key(key.str(), node, &rule);
      if (!done) return done.error();
      has_layer = has_layer || key.str() == "layer";
    }
    if (!has_layer) return error_at(name_, table.source(), "the rule names no layer");
    if (rule.functions.empty() && rule.files.empty()) {
      return error_at(name_, table.source(), "the rule has neither functions nor files");
    }
    return rule;
  }

 private:
  Result<void> read_key(std::string_view key, const toml::node& node, Rule* rule) const {
    if (key == "layer") return read_layer(node, &rule->layer);
    if (key == "functions") return read_patterns(node, &rule->functions);
    if (key == "files") return read_patterns(node, &rule->files);
    if (key != "library") {
      return error_at(name_, node.source(),
                      "unknown key \"" + std::string(key) +
                          "\"; a rule has layer, functions, files and library");
    }
    if (!node.is_boolean()) return error_at(name_, node.source(), "library is true or false");
    rule->library = node.as_boolean()->get();
    return {};
  }

  Result<void> read_layer(const toml::node& node, Layer* layer) const {
    const std::optional<std::string> text = node.value<std::string>();
    const std::optional<Layer> found = text ? layer_from(*text) : std::nullopt;
    if (!found) {
      return error_at(name_, node.source(), "the layer must be one of " + names_of_layers());
    }
    *layer = *found;
    return {};
  }

  Result<void> read_patterns(const toml::node& node, std::vector<std::string>* patterns) const {
    const toml::array* list = node.as_array();
    if (list == nullptr || list->empty()) {
      return error_at(name_, node.source(), "expected a list of patterns, like [\"*cron*\"]");
    }
    for (const toml::node& item : *list) {
      const toml::value<std::string>* pattern = item.as_string();
      if (pattern == nullptr || pattern->get().empty()) {
        return error_at(name_, item.source(), "a pattern is a text that is not empty");
      }
      patterns->push_back(pattern->get());
    }
    return {};
  }

  std::string_view name_;
};

bool fits_any(const std::vector<std::string>& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return fits(pattern, text); });
}

// Of a frame without a name only the file is known that it was loaded from.
bool is_library_module(std::string_view module) {
  static constexpr std::array<std::string_view, 10> kModules = {
      "libc.so*",  "libstdc++*", "libc++*",  "libtsan*",  "libpthread*",
      "libgcc_s*", "ld-linux*",  "libm.so*", "libdl.so*", "vgpreload_*"};
  const std::string_view name = module.substr(module.rfind('/') + 1);
  return std::any_of(kModules.begin(), kModules.end(),
                     [&](std::string_view pattern) { return fits(pattern, name); });
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
  if (Result<void> checked = check_toml_text(toml, name); !checked) return checked.error();
  const toml::parse_result parsed = toml::parse(toml);
  if (!parsed) {
    return error_at(name, parsed.error().source(), parsed.error().description());
  }
  Rules rules;
  const RuleReader reader(name);
  for (const auto& [key, node] : parsed.table()) {
    const toml::array* list = node.as_array();
    if (key.str() != "rule" || list == nullptr) {
      return error_at(name, node.source(),
                      "unknown key \"" + std::string(key.str()) + "\"; the file holds [[rule]]s");
    }
    for (const toml::node& item : *list) {
      const toml::table* table = item.as_table();
      if (table == nullptr) return error_at(name, item.source(), "a rule is a table: [[rule]]");
      Result<Rule> rule = reader.read(*table);
      if (!rule) return rule.error();
      rules.rules_.push_back(*std::move(rule));
    }
  }
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
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.is_open() || file.bad()) {
    return Error{"cannot read the layer rules " + path + ": " + std::strerror(errno)};
  }
  Result<Rules> rules = parse(text, path);
  if (!rules) return rules;
  const std::vector<Rule>& built_in = defaults().rules_;
  rules->rules_.insert(rules->rules_.end(), built_in.begin(), built_in.end());
  return rules;
}

const Rule* Rules::match(const report::Frame& frame) const {
  const std::string function = plain_name(frame.function);
  for (const Rule& rule : rules_) {
    if (!rule.functions.empty() && !fits_any(rule.functions, function)) continue;
    if (!rule.files.empty() && !fits_any(rule.files, frame.file)) continue;
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
