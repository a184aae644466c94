// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/options/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "vigil/text/suggestion.h"

namespace vigil::tools {
namespace {

const Option* option_named(std::span<const Option> table, std::string_view name) {
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const Option& option) { return option.name == name; });
  return found == table.end() ? nullptr : &*found;
}

Error unknown_option(std::span<const Option> table, std::string_view name) {
  std::vector<std::string_view> names = {"--help"};
  for (const Option& option : table) names.push_back(option.name);
  return Error{"unknown option " + std::string(name) + text::suggestion(name, names)};
}

Error unexpected(std::string_view argument) {
  return Error{"unexpected argument " + std::string(argument)};
}

bool is_help(std::string_view argument) { return argument == "--help" || argument == "-h"; }

// "-" is an operand: the standard input or output.
bool is_option(std::string_view argument) { return argument.size() > 1 && argument[0] == '-'; }

class ArgumentReader {
 public:
  ArgumentReader(std::span<const Option> table, std::span<const char* const> arguments,
                 Operands operands)
      : table_(table), left_(arguments), operands_(operands) {}

  Result<ParsedArguments> read() {
    while (!left_.empty()) {
      const std::string_view argument = left_.front();
      if (is_help(argument)) {
        parsed_.help = true;
        return std::move(parsed_);
      }
      if (argument == "--") {
        parsed_.has_separator = true;
        take();
        if (operands_ == Operands::kNone && !left_.empty()) return unexpected(left_.front());
        take_rest();
      } else if (is_option(argument)) {
        if (Result<void> taken = take_option(); !taken) return taken.error();
      } else if (operands_ == Operands::kNone || operands_ == Operands::kCommand) {
        return unexpected(argument);
      } else if (operands_ == Operands::kLast) {
        take_rest();
      } else {
        parsed_.operands.emplace_back(take());
      }
    }
    return std::move(parsed_);
  }

 private:
  std::string_view take() {
    const std::string_view argument = left_.front();
    left_ = left_.subspan(1);
    return argument;
  }
  void take_rest() {
    parsed_.operands.insert(parsed_.operands.end(), left_.begin(), left_.end());
    left_ = {};
  }

  Result<void> take_option() {
    const std::string_view argument = take();
    const std::size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    const Option* const option = option_named(table_, name);
    if (option == nullptr) return unknown_option(table_, name);
    if (option->value.empty()) {
      if (equals != std::string_view::npos) return Error{std::string(name) + " takes no value"};
      return option->set("");
    }
    if (equals != std::string_view::npos) return set(*option, argument.substr(equals + 1));
    if (!has_value()) return Error{std::string(name) + " needs a value"};
    do {
      if (Result<void> done = set(*option, take()); !done) return done;
    } while (option->takes_several && has_value() && !is_option(left_.front()));
    return {};
  }

  // Whether a value comes next, and not the next option of the command.
  [[nodiscard]] bool has_value() const {
    return !left_.empty() && option_named(table_, left_.front()) == nullptr;
  }

  static Result<void> set(const Option& option, std::string_view value) {
    Result<void> done = option.set(value);
    if (done) return done;
    return Error{std::string(option.name)
                     .append(" ")
                     .append(value.empty() ? "\"\"" : value)
                     .append(": ")
                     .append(done.error().message)};
  }

  std::span<const Option> table_;
  std::span<const char* const> left_;
  Operands operands_;
  ParsedArguments parsed_;
};

Error expected_path() { return Error{"expected the path of a file"}; }

}  // namespace

Result<ParsedArguments> parse_options(std::span<const Option> table,
                                      std::span<const char* const> arguments, Operands operands) {
  return ArgumentReader(table, arguments, operands).read();
}

std::string options_help(std::span<const Option> table) {
  constexpr std::size_t kColumn = 32;
  std::string text;
  for (const Option& option : table) {
    std::string line = "  " + std::string(option.name);
    if (!option.value.empty()) line.append(" ").append(option.value);
    if (line.size() >= kColumn) line.append("\n").append(kColumn, ' ');
    if (line.find('\n') == std::string::npos) line.resize(kColumn, ' ');
    for (const char c : option.help) {
      line.push_back(c);
      if (c == '\n') line.append(kColumn, ' ');
    }
    text.append(line).append("\n");
  }
  return text;
}

std::string command_help(std::string_view usage, std::string_view summary,
                         std::span<const Option> table, std::string_view footer) {
  std::string text = "Usage: ";
  text.append(usage).append("\n\n").append(summary).append("\n\nOptions:\n");
  return text.append(options_help(table)).append("\n").append(footer).append("\n");
}

SetOption store_flag(bool* flag, bool value) {
  return [=](std::string_view) -> Result<void> {
    *flag = value;
    return {};
  };
}

SetOption store_text(std::string* text) {
  return [=](std::string_view value) -> Result<void> {
    *text = value;
    return {};
  };
}

SetOption store_texts(std::vector<std::string>* texts) {
  return [=](std::string_view value) -> Result<void> {
    texts->emplace_back(value);
    return {};
  };
}

SetOption store_path(std::string* path) {
  return [=](std::string_view value) -> Result<void> {
    if (value.empty()) return expected_path();
    *path = value;
    return {};
  };
}

SetOption store_paths(std::vector<std::string>* paths) {
  return [=](std::string_view value) -> Result<void> {
    if (value.empty()) return expected_path();
    paths->emplace_back(value);
    return {};
  };
}

SetOption store_choice(std::string* chosen, std::vector<std::string_view> choices) {
  return [chosen, choices = std::move(choices)](std::string_view value) -> Result<void> {
    if (std::find(choices.begin(), choices.end(), value) != choices.end()) {
      *chosen = value;
      return {};
    }
    std::string known;
    for (const std::string_view choice : choices) {
      known.append(known.empty() ? "" : ", ").append(choice);
    }
    return Error{"expected one of " + known + text::suggestion(value, choices)};
  };
}

SetOption store_fraction(double* number, double min, double max) {
  return [=](std::string_view value) -> Result<void> {
    double parsed = 0;
    const char* const end = value.data() + value.size();
    const auto [stop, error] = std::from_chars(value.data(), end, parsed);
    if (error == std::errc() && stop == end && parsed >= min && parsed <= max) {
      *number = parsed;
      return {};
    }
    return Error{"expected a number from " + std::to_string(min) + " to " + std::to_string(max)};
  };
}

Result<std::uint64_t> whole_number(std::string_view text, std::uint64_t min, std::uint64_t max) {
  constexpr double kExactMax = 9'007'199'254'740'992;  // up to here every whole number is a double
  const Error error{"expected a whole number from " + std::to_string(min) + " to " +
                    std::to_string(max)};
  const char* const end = text.data() + text.size();
  std::uint64_t number = 0;
  auto [stop, status] = std::from_chars(text.data(), end, number);
  if (status == std::errc() && stop != end && *stop == 'e') {
    double power = 0;
    const auto exponent = std::from_chars(text.data(), end, power);
    stop = exponent.ptr;
    status = exponent.ec;
    if (!(power <= kExactMax) || power != std::floor(power)) return error;
    number = static_cast<std::uint64_t>(power);
  }
  if (status != std::errc() || stop != end || number < min || number > max) return error;
  return number;
}

}  // namespace vigil::tools
