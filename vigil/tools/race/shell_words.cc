// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/shell_words.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <utility>

namespace vigil::tools::race {
namespace {

bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

bool needs_quotes(std::string_view word) {
  constexpr std::string_view kPlain = "+-./:=@_,%^";
  return word.empty() || !std::all_of(word.begin(), word.end(), [&](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                  kPlain.find(c) != std::string_view::npos;
         });
}

}  // namespace

std::vector<std::string> split_words(std::string_view text, Quoting quoting) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == 0 && is_space(c)) {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
      continue;
    }
    in_word = true;
    const bool escapes = quote != '\'' || quoting == Quoting::kResponseFile;
    if (c == '\\' && escapes) {
      if (++i < text.size()) word.push_back(text[i]);
    } else if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    } else {
      word.push_back(c);
    }
  }
  if (in_word) words.push_back(std::move(word));
  return words;
}

std::string shell_command(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text.push_back(' ');
    if (!needs_quotes(word)) {
      text += word;
      continue;
    }
    text.push_back('\'');
    for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    text.push_back('\'');
  }
  return text;
}

}  // namespace vigil::tools::race
