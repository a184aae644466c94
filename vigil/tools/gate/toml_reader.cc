// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/toml_reader.h"

#include "vigil/text/toml_text.h"

namespace vigil::tools::gate {
namespace {

Error error_at(std::string_view name, const toml::source_region& where, std::string_view message) {
  return Error{std::string(name)
                   .append(":")
                   .append(std::to_string(where.begin.line))
                   .append(": ")
                   .append(message)};
}

}  // namespace

Result<toml::table> parse_toml(std::string_view text, std::string_view name) {
  if (Result<void> checked = check_toml_text(text, name); !checked) return checked.error();
  toml::parse_result parsed = toml::parse(text);
  if (!parsed) return error_at(name, parsed.error().source(), parsed.error().description());
  return std::move(parsed).table();
}

const toml::node* TomlReader::find(std::string_view key) {
  asked_.emplace(key);
  return error_ ? nullptr : table_.get(key);
}

void TomlReader::fail(std::string_view key, std::string_view message) {
  if (error_) return;
  const toml::node* const node = table_.get(key);
  error_ = error_at(name_, node != nullptr ? node->source() : table_.source(),
                    std::string(key).append(": ").append(message));
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

Result<void> TomlReader::finish() {
  for (const auto& [key, node] : table_) {
    if (!asked_.contains(key.str())) fail(key.str(), "unknown key");
  }
  if (error_) return *error_;
  return {};
}

}  // namespace vigil::tools::gate
