// SPDX-License-Identifier: Apache-2.0
//
// The options of a command as a table, from which its arguments are read and its help is printed:
//
//   const std::vector<Option> table = {
//       {"--json", "FILE", "write the report as JSON; - is standard output", store_path(&json)},
//       {"--jobs", "N", "programs at the same time (default 1)", store_number(&jobs, 1, 64)},
//       {"--quick", "", "fewer cells", store_flag(&quick)},
//   };
//   const Result<ParsedArguments> parsed = parse_options(table, arguments, Operands::kNone);
//
// An option is written "--name VALUE" or "--name=VALUE"; the last one counts, or each one where the
// help says that it may be repeated. "--" ends the options, --help and -h end everything. An error
// says what is wrong with which option and what would be right.
//
// Thread safety: plain values and pure functions; setters write what they point to.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "vigil/base/result.h"

namespace vigil::tools {

// Takes the value of an option; the error says what was expected.
using SetOption = std::function<Result<void>(std::string_view value)>;

struct Option {
  std::string_view name;   // "--json"
  std::string_view value;  // how the help calls its value; empty: the option takes none
  std::string_view help;   // may have several lines
  SetOption set;
  bool takes_several = false;  // "--threads 1 2": every value up to the next option
};

// What arguments that are no options are.
enum class Operands : std::uint8_t {
  kNone,      // mistakes
  kCommand,   // a command after "--"; mistakes before it
  kAnywhere,  // inputs, before and after options
  kLast,      // the first one ends the options: a program and its arguments
};

struct ParsedArguments {
  bool help = false;           // asked for: nothing else was looked at from there on
  bool has_separator = false;  // there was a "--"
  std::vector<std::string> operands;
};

[[nodiscard]] Result<ParsedArguments> parse_options(std::span<const Option> table,
                                                    std::span<const char* const> arguments,
                                                    Operands operands);

// One line or more for each option.
[[nodiscard]] std::string options_help(std::span<const Option> table);

// The whole help of a command: how it is called, what it does, its options, and what follows them.
[[nodiscard]] std::string command_help(std::string_view usage, std::string_view summary,
                                       std::span<const Option> table, std::string_view footer);

// ---- Setters. What they point to outlives them. ----

[[nodiscard]] SetOption store_flag(bool* flag, bool value = true);
[[nodiscard]] SetOption store_text(std::string* text);
[[nodiscard]] SetOption store_texts(std::vector<std::string>* texts);
// Of a file or a folder: not empty.
[[nodiscard]] SetOption store_path(std::string* path);
[[nodiscard]] SetOption store_paths(std::vector<std::string>* paths);
[[nodiscard]] SetOption store_choice(std::string* chosen, std::vector<std::string_view> choices);
[[nodiscard]] SetOption store_fraction(double* number, double min, double max);

// A whole number, which may be written like 1e6.
[[nodiscard]] Result<std::uint64_t> whole_number(std::string_view text, std::uint64_t min,
                                                 std::uint64_t max);

template <std::unsigned_integral Number>
[[nodiscard]] SetOption store_number(Number* number, std::type_identity_t<Number> min,
                                     std::type_identity_t<Number> max) {
  return [=](std::string_view text) -> Result<void> {
    const Result<std::uint64_t> parsed = whole_number(text, min, max);
    if (!parsed) return parsed.error();
    *number = static_cast<Number>(*parsed);
    return {};
  };
}

template <std::unsigned_integral Number>
[[nodiscard]] SetOption store_numbers(std::vector<Number>* numbers,
                                      std::type_identity_t<Number> min,
                                      std::type_identity_t<Number> max) {
  return [=](std::string_view text) -> Result<void> {
    const Result<std::uint64_t> parsed = whole_number(text, min, max);
    if (!parsed) return parsed.error();
    numbers->push_back(static_cast<Number>(*parsed));
    return {};
  };
}

}  // namespace vigil::tools
