// SPDX-License-Identifier: Apache-2.0
//
// TomlReader: typed values out of a TOML table, every error with its line.
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
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include "vigil/base/result.h"

namespace vigil::tools::gate {

Result<toml::table> parse_toml(std::string_view text, std::string_view name);

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

  // Latches an error about `key`, or about the table if `key` is absent.
  void fail(std::string_view key, std::string_view message);
  [[nodiscard]] Result<void> finish();

 private:
  const toml::node* find(std::string_view key);

  std::string_view name_;
  const toml::table& table_;
  std::set<std::string, std::less<>> asked_;
  std::optional<Error> error_;
};

}  // namespace vigil::tools::gate
