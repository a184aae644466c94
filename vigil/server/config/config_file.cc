// SPDX-License-Identifier: Apache-2.0
//
// Configuration from a TOML file.
#include <optional>
#include <string>
#include <string_view>

#include "vigil/server/config/config.h"
#include "vigil/server/config/setting.h"
#include "vigil/text/suggestion.h"
#include "vigil/text/toml.h"

namespace vigil::server {

namespace {

using Form = Setting::Form;

constexpr std::string_view kInitialKey = "orders.initial";
constexpr std::string_view kTransitionsKey = "orders.transitions";

// "maxmemory-policy" -> "cache.maxmemory_policy"; empty if there is no alias.
std::string key_of_alias(const Setting& setting) {
  if (setting.alias.empty()) return {};
  std::string key(setting.key.substr(0, setting.key.find('.') + 1));
  for (const char c : setting.alias) key.push_back(c == '-' ? '_' : c);
  return key;
}

class FileReader {
 public:
  FileReader(std::string_view name, Config* config) : name_(name), config_(config) {}

  Result<void> read(const toml::table& root) {
    if (Result<void> done = read_table("", root); !done) return done.error();
    return apply_transitions();
  }

 private:
  [[nodiscard]] Error error_at(const toml::source_region& where, std::string_view key,
                               std::string_view message) const {
    return text::toml_error(name_, where, key, message);
  }

  Result<void> read_table(const std::string& prefix, const toml::table& table) {
    if (table.empty() && !prefix.empty() && !is_section(prefix)) return unknown(prefix, table);
    for (const auto& [name, node] : table) {
      const std::string key = prefix + (prefix.empty() ? "" : ".") + std::string(name.str());
      if (Result<void> done = read_node(key, node); !done) return done.error();
    }
    return {};
  }

  Result<void> read_node(const std::string& key, const toml::node& node) {
    if (key == kInitialKey) {
      initial_node_ = &node;
      return read_statuses(key, node, &initial_);
    }
    if (key == kTransitionsKey) return read_transitions(node);
    for (const Setting& setting : settings()) {
      if (setting.key == key || key_of_alias(setting) == key) return read_setting(setting, node);
    }
    if (node.is_table()) return read_table(key, *node.as_table());
    return unknown(key, node);
  }

  Result<void> read_setting(const Setting& setting, const toml::node& node) {
    const std::optional<std::string> text = text_of(setting.form, node);
    if (!text) {
      return error_at(node.source(), setting.key,
                      "found " + describe(node) + ", expected " + expectation(setting));
    }
    if (Result<void> done = assign(setting, *text, config_); !done) {
      return error_at(node.source(), setting.key, done.error().message);
    }
    return {};
  }

  // The value as assign() wants it, if its TOML type suits the form.
  static std::optional<std::string> text_of(Form form, const toml::node& node) {
    const bool text_allowed =
        form != Form::kSwitch && form != Form::kInteger && form != Form::kPowerOfTwo;
    const bool number_allowed = form != Form::kText && form != Form::kSwitch &&
                                form != Form::kHash && form != Form::kEviction;
    if (const auto* text = node.as_string(); text != nullptr && text_allowed) return text->get();
    if (const auto* number = node.as_integer(); number != nullptr && number_allowed) {
      return std::to_string(number->get());
    }
    if (const auto* flag = node.as_boolean(); flag != nullptr && form == Form::kSwitch) {
      return flag->get() ? "true" : "false";
    }
    return std::nullopt;
  }

  static std::string describe(const toml::node& node) {
    if (const auto* text = node.as_string()) return toml_string(text->get());
    if (const auto* number = node.as_integer()) return std::to_string(number->get());
    if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
    if (node.is_array()) return "an array";
    if (node.is_table()) return "a table";
    return node.is_floating_point() ? "a fraction" : "a date or time";
  }

  Result<void> read_statuses(std::string_view key, const toml::node& node,
                             std::vector<std::string>* statuses) {
    const toml::array* const array = node.as_array();
    if (array == nullptr) {
      return error_at(node.source(), key,
                      "found " + describe(node) + ", expected an array of statuses");
    }
    for (const toml::node& element : *array) {
      if (!element.is_string()) {
        return error_at(element.source(), key,
                        "found " + describe(element) + ", expected a status in quotes");
      }
      statuses->push_back(element.as_string()->get());
    }
    return {};
  }

  Result<void> read_transitions(const toml::node& node) {
    transitions_node_ = &node;
    const toml::table* const table = node.as_table();
    if (table == nullptr) {
      return error_at(node.source(), kTransitionsKey,
                      "found " + describe(node) + ", expected lines such as pending = [\"paid\"]");
    }
    for (const auto& [from, next] : *table) {
      const std::string key = std::string(kTransitionsKey) + "." + std::string(from.str());
      std::vector<std::string> statuses;
      if (Result<void> done = read_statuses(key, next, &statuses); !done) return done.error();
      for (std::string& to : statuses) steps_.push_back({std::string(from.str()), std::move(to)});
    }
    return {};
  }

  Result<void> apply_transitions() {
    if (initial_node_ == nullptr && transitions_node_ == nullptr) return {};
    if (initial_node_ == nullptr) {
      return error_at(transitions_node_->source(), kTransitionsKey,
                      "found without orders.initial, expected both or neither");
    }
    if (transitions_node_ == nullptr) {
      return error_at(initial_node_->source(), kInitialKey,
                      "found without [orders.transitions], expected both or neither");
    }
    Result<orders::TransitionTable> table = orders::TransitionTable::create(initial_, steps_);
    if (!table) {
      return error_at(transitions_node_->source(), kTransitionsKey, table.error().message);
    }
    config_->server.orders.table = *std::move(table);
    return {};
  }

  static bool is_section(std::string_view name) {
    for (const Setting& setting : settings()) {
      if (setting.key.starts_with(name) && setting.key.substr(name.size()).starts_with('.')) {
        return true;
      }
    }
    return false;
  }

  [[nodiscard]] Error unknown(const std::string& key, const toml::node& node) const {
    std::vector<std::string_view> keys = {kInitialKey, kTransitionsKey};
    for (const Setting& setting : settings()) keys.push_back(setting.key);
    return error_at(node.source(), key, "unknown key" + text::suggestion(key, keys));
  }

  std::string_view name_;
  Config* config_;
  std::vector<std::string> initial_;
  std::vector<orders::TransitionTable::Step> steps_;
  const toml::node* initial_node_ = nullptr;
  const toml::node* transitions_node_ = nullptr;
};

}  // namespace

Result<void> apply_toml(std::string_view text, std::string_view name, Config* config) {
  const Result<toml::table> root = text::parse_toml(text, name);
  if (!root) return root.error();
  return FileReader(name, config).read(*root);
}

}  // namespace vigil::server
