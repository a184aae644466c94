// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/toml_reader.h"

namespace vigil::text {

const toml::node* TomlReader::find(std::string_view key) {
  asked_.emplace(key);
  return error_ ? nullptr : table_.get(key);
}

void TomlReader::fail(std::string_view key, std::string_view message) {
  if (error_) return;
  const toml::node* const node = table_.get(key);
  error_is_absence_ = node == nullptr;
  error_ = toml_error(name_, (node != nullptr ? node : &table_)->source(), key, message);
}

std::string TomlReader::text(std::string_view key) {
  const toml::node* const node = find(key);
  if (node == nullptr) return {};
  if (const auto* value = node->as_string()) return value->get();
  fail(key, "expected a text in quotes");
  return {};
}

std::vector<std::string> TomlReader::texts(std::string_view key) {
  const toml::node* const node = find(key);
  if (node == nullptr) return {};
  std::vector<std::string> values;
  const toml::array* const array = node->as_array();
  for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) {
    if (const auto* value = array->get(i)->as_string()) values.push_back(value->get());
  }
  if (array == nullptr || values.size() != array->size()) {
    fail(key, "expected an array of texts in quotes");
  }
  return values;
}

std::optional<std::uint64_t> TomlReader::count(std::string_view key) {
  const toml::node* const node = find(key);
  if (node == nullptr) return std::nullopt;
  const auto* const value = node->as_integer();
  if (value != nullptr && value->get() >= 0) return static_cast<std::uint64_t>(value->get());
  fail(key, "expected a number, 0 or more");
  return std::nullopt;
}

std::optional<bool> TomlReader::flag(std::string_view key) {
  const toml::node* const node = find(key);
  if (node == nullptr) return std::nullopt;
  if (const auto* value = node->as_boolean()) return value->get();
  fail(key, "expected true or false");
  return std::nullopt;
}

std::optional<std::chrono::year_month_day> TomlReader::date(std::string_view key) {
  const toml::node* const node = find(key);
  if (node == nullptr) return std::nullopt;
  if (const auto* value = node->as_date()) {
    const toml::date day = value->get();
    const std::chrono::year_month_day date{
        std::chrono::year(day.year), std::chrono::month(day.month), std::chrono::day(day.day)};
    if (date.ok()) return date;
  }
  fail(key, "expected a date without quotes, such as 2027-01-31");
  return std::nullopt;
}

const toml::table* TomlReader::table(std::string_view key) {
  const toml::node* const node = find(key);
  if (node == nullptr) return nullptr;
  if (const toml::table* value = node->as_table()) return value;
  fail(key, "expected a table, [" + std::string(key) + "]");
  return nullptr;
}

std::vector<const toml::table*> TomlReader::tables(std::string_view key) {
  const toml::node* const node = find(key);
  if (node == nullptr) return {};
  std::vector<const toml::table*> values;
  const toml::array* const array = node->as_array();
  for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) {
    if (const toml::table* value = array->get(i)->as_table()) values.push_back(value);
  }
  if (array == nullptr || values.size() != array->size()) {
    fail(key, "expected tables, [[" + std::string(key) + "]]");
  }
  return values;
}

std::string TomlReader::known_keys() const {
  std::string keys;
  for (const std::string& key : asked_) keys.append(keys.empty() ? "" : ", ").append(key);
  return keys;
}

Result<void> TomlReader::finish() {
  for (const auto& [key, node] : table_) {
    if (asked_.contains(key.str())) continue;
    // A key that is missing is most often one that is misspelt.
    if (error_is_absence_) error_.reset();
    fail(key.str(), "unknown key; known here: " + known_keys());
    break;
  }
  if (error_) return *error_;
  return {};
}

}  // namespace vigil::text
