// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/suppression.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <utility>

#include "vigil/text/toml_reader.h"
#include "vigil/text/visible.h"
#include "vigil/text/wildcard.h"
#include "vigil/tools/gate/pattern_index.h"

namespace vigil::tools::gate {
namespace {

bool function_matches(const std::string& pattern, const FunctionNames::Names& names) {
  return text::wildcard_match(pattern, names.reported) || text::wildcard_match(pattern, names.key);
}

bool functions_match(const std::vector<std::string>& patterns, const FunctionNames& functions) {
  const std::vector<FunctionNames::Names>& sides = functions.sides;
  if (patterns.size() == 1) {
    return std::any_of(sides.begin(), sides.end(), [&](const FunctionNames::Names& names) {
      return function_matches(patterns[0], names);
    });
  }
  if (sides.size() != 2) return false;
  const auto both = [&](std::size_t first) {
    return function_matches(patterns[0], sides[first]) &&
           function_matches(patterns[1], sides[1 - first]);
  };
  return both(0) || both(1);
}

// White space of any script, or what nobody sees, answers for nothing.
bool is_blank(std::string_view bytes) {
  constexpr std::array<std::string_view, 9> kBlanks = {" ",
                                                       "?",
                                                       "\xC2\xA0",
                                                       "\xE1\x9A\x80",
                                                       "\xE2\x80\xAF",
                                                       "\xE2\x81\x9F",
                                                       "\xE2\xA0\x80",
                                                       "\xE3\x80\x80",
                                                       "\xE3\x85\xA4"};
  const std::string text = text::visible_text(bytes);  // "?" is what was hidden
  std::string_view rest = text;
  while (!rest.empty()) {
    const bool is_space = rest.starts_with("\xE2\x80") && rest.size() > 2 &&
                          static_cast<unsigned char>(rest[2]) <= 0x8D;  // U+2000 to U+200D
    const auto* const blank = std::find_if(kBlanks.begin(), kBlanks.end(),
                                           [&](std::string_view b) { return rest.starts_with(b); });
    if (!is_space && blank == kBlanks.end()) return false;
    rest.remove_prefix(is_space ? 3 : blank->size());
  }
  return true;
}

PatternIndex index_of(const std::vector<Suppression>& suppressions) {
  PatternIndex index;
  for (const Suppression& each : suppressions) {
    std::vector<std::string_view> patterns(each.functions.begin(), each.functions.end());
    patterns.insert(patterns.end(), {each.rule, each.file, each.fingerprint});
    index.add(std::move(patterns));
  }
  index.finish();
  return index;
}

std::vector<std::string_view> texts_of(const Issue& issue, const FunctionNames& functions) {
  std::vector<std::string_view> texts = {issue.rule, issue.fingerprint};
  for (const evidence::Side& side : issue.sides) texts.emplace_back(side.file);
  for (const FunctionNames::Names& names : functions.sides) {
    texts.insert(texts.end(), {names.reported, names.key});
  }
  return texts;
}

Result<Suppression> read_suppression(const toml::table& table, std::string_view name) {
  text::TomlReader reader(name, table);
  Suppression read;
  read.functions = reader.texts("functions");
  read.rule = reader.text("rule");
  read.file = reader.text("file");
  read.fingerprint = reader.text("fingerprint");
  read.owner = reader.text("owner");
  read.reason = reader.text("reason");
  read.origin = std::string(name) + ":" + std::to_string(table.source().begin.line);
  if (const auto expires = reader.date("expires")) {
    read.expires = *expires;
  } else {
    reader.fail("expires", "a suppression needs the last day on which it counts");
  }
  if (is_blank(read.owner)) reader.fail("owner", "a suppression needs somebody who answers for it");
  if (is_blank(read.reason)) reader.fail("reason", "a suppression needs a reason");
  if (read.functions.size() > 2) reader.fail("functions", "a conflict has two sides, not more");
  if (read.functions.empty() && read.rule.empty() && read.file.empty() &&
      read.fingerprint.empty()) {
    reader.fail("functions", "a suppression needs functions, rule, file or fingerprint");
  }
  if (Result<void> done = reader.finish(); !done) return done.error();
  return read;
}

}  // namespace

FunctionNames::FunctionNames(const Issue& issue) {
  for (const evidence::Side& side : issue.sides) {
    sides.push_back({side.function, evidence::function_key(side.function)});
  }
}

bool Suppression::matches(const Issue& issue, const FunctionNames& functions_of_issue) const {
  if (!fingerprint.empty() && fingerprint != issue.fingerprint) return false;
  if (!rule.empty() && !text::wildcard_match(rule, issue.rule)) return false;
  if (!file.empty() &&
      std::none_of(issue.sides.begin(), issue.sides.end(), [this](const evidence::Side& side) {
        return text::wildcard_match(file, side.file);
      })) {
    return false;
  }
  return functions.empty() || functions_match(functions, functions_of_issue);
}

Result<void> Suppressions::add(std::string_view toml, std::string_view name) {
  const Result<toml::table> root = text::parse_toml(toml, name);
  if (!root) return root.error();
  text::TomlReader reader(name, *root);
  for (const toml::table* table : reader.tables("suppression")) {
    Result<Suppression> read = read_suppression(*table, name);
    if (!read) return read.error();
    all_.push_back(*std::move(read));
  }
  return reader.finish();
}

void Suppressions::apply(std::chrono::year_month_day today, std::vector<Issue>* issues) {
  const PatternIndex index = index_of(all_);
  for (Issue& issue : *issues) {
    const FunctionNames functions(issue);
    for (const std::size_t candidate : index.candidates(texts_of(issue, functions))) {
      Suppression& suppression = all_[candidate];
      if (!suppression.matches(issue, functions)) continue;
      ++suppression.uses;
      if (suppression.is_expired(today) || issue.status == Issue::Status::kSuppressed) continue;
      issue.status = Issue::Status::kSuppressed;
      issue.status_reason =
          suppression.owner + " until " + to_text(suppression.expires) + ": " + suppression.reason;
    }
  }
}

std::string to_text(std::chrono::year_month_day date) {
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return text;
}

Result<std::chrono::year_month_day> date_from(std::string_view text) {
  const auto number = [&](std::size_t at, std::size_t size) {
    unsigned value = 0;
    const char* const end = text.data() + at + size;
    const auto [stop, error] = std::from_chars(text.data() + at, end, value);
    return error == std::errc() && stop == end ? value : 0U;
  };
  if (text.size() == 10 && text[4] == '-' && text[7] == '-') {
    const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(number(0, 4))),
                                           std::chrono::month(number(5, 2)),
                                           std::chrono::day(number(8, 2))};
    if (date.ok()) return date;
  }
  return Error{"\"" + std::string(text) + "\" is no date; write it as 2027-01-31"};
}

}  // namespace vigil::tools::gate
