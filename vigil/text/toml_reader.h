// SPDX-License-Identifier: Apache-2.0
//
// TomlReader: typed values out of a TOML table, every error with its position.
//
//   Result<toml::table> root = parse_toml(text, "gate.toml");
//   TomlReader reader("gate.toml", *root);
//   policy.name = reader.text("name");
//   if (Result<void> done = reader.finish(); !done) return done.error();
//
// Errors latch: after the first one every read gives an empty value, and finish() reports it.
// finish() also reports a key that nothing asked for.
//
// Thread safety: none.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/text/toml.h"

namespace vigil::text {

class TomlReader {
 public:
  // `name` and `table` outlive the reader.
  TomlReader(std::string_view name, const toml::table& table) : name_(name), table_(table) {}

  // Empty if the key is absent.
  std::string text(std::string_view key);
  std::vector<std::string> texts(std::string_view key);
  std::optional<std::uint64_t> count(std::string_view key);
  std::optional<bool> flag(std::string_view key);
  std::optional<std::chrono::year_month_day> date(std::string_view key);
  const toml::table* table(std::string_view key);
  std::vector<const toml::table*> tables(std::string_view key);

  [[nodiscard]] bool has(std::string_view key) const { return table_.contains(key); }

  // Latches an error about `key`, or about the table if `key` is absent.
  void fail(std::string_view key, std::string_view message);
  [[nodiscard]] Result<void> finish();

 private:
  const toml::node* find(std::string_view key);
  [[nodiscard]] std::string known_keys() const;

  std::string_view name_;
  const toml::table& table_;
  std::set<std::string, std::less<>> asked_;
  std::optional<Error> error_;
  bool error_is_absence_ = false;  // it is about a key that the table does not have
};

}  // namespace vigil::text
