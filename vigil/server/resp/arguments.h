// SPDX-License-Identifier: Apache-2.0
//
// Arguments: reads the arguments of a request from left to right and keeps the first error, so that
// a command reads all it was given and looks once whether that went well.
//
//   arguments := positional* (flag | option value)* | positional* tail
//
//   next()              the next argument, whatever it is
//   integer()           the next argument as a strict decimal of 64 bits (number.h)
//   number()            the next argument as a long double
//   flag("nx")          true if the next argument is that word; steps over it
//   option("ex")        the same, and a value follows it: next() or integer() reads that
//   one_of(kChoices)    the value of the next argument among named ones; steps over it
//   tail()              all that is left
//
// Words are compared without regard to case, as Redis does.
//
// After an error every reader returns an empty value and more() is false, so loops end; a later
// error is dropped. What is read decides which error comes first: where Redis checks the syntax of
// all options before it looks at a number, the number is read as text with next() and converted
// with integer(text) after the options.
//
//   // GETEX key [PERSIST | EX seconds]
//   Arguments args = call.after_key();
//   bool persist = false;
//   std::optional<std::int64_t> seconds;
//   while (args.more()) {
//     if (args.flag("persist")) {
//       persist = true;
//     } else if (args.option("ex")) {
//       seconds = args.integer();
//     } else {
//       args.syntax_error();
//     }
//   }
//   args.require(!persist || !seconds);
//   if (!args.ok()) return call.reply.error(args.error());
//
// Thread safety: none; the arguments must outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "vigil/server/resp/number.h"

namespace vigil::server {

// A word and what it stands for.
template <class Value>
struct Choice {
  std::string_view word;
  Value value;
};

class Arguments {
 public:
  explicit Arguments(std::span<const std::string_view> args) : left_(args) {}

  [[nodiscard]] bool more() const { return !left_.empty(); }
  [[nodiscard]] std::size_t left() const { return left_.size(); }

  // A syntax error if there is none.
  std::string_view next() {
    if (left_.empty()) [[unlikely]] {
      syntax_error();
      return {};
    }
    const std::string_view argument = left_.front();
    left_ = left_.subspan(1);
    return argument;
  }
  std::int64_t integer() { return integer(next()); }
  // Of an argument that was read before.
  std::int64_t integer(std::string_view text);
  long double number();

  [[nodiscard]] bool flag(std::string_view word) {
    if (left_.empty() || !equal_ignoring_case(left_.front(), word)) return false;
    left_ = left_.subspan(1);
    return true;
  }
  [[nodiscard]] bool option(std::string_view word) { return left_.size() > 1 && flag(word); }

  // Nothing, and no step, if the next argument is none of the words.
  template <class Value>
  [[nodiscard]] std::optional<Value> one_of(std::span<const Choice<Value>> choices) {
    for (const Choice<Value>& choice : choices) {
      if (flag(choice.word)) return choice.value;
    }
    return std::nullopt;
  }

  [[nodiscard]] std::span<const std::string_view> tail() { return std::exchange(left_, {}); }

  // --- Errors --------------------------------------------------------------------------------

  // Keeps `error` ("ERR ...") unless there was one before.
  void fail(std::string error);
  void syntax_error();
  // A syntax error unless `holds`.
  void require(bool holds) {
    if (!holds) syntax_error();
  }

  [[nodiscard]] bool ok() const { return !error_; }
  // What to reply. REQUIRES: !ok().
  [[nodiscard]] const std::string& error() const { return error_.value(); }

 private:
  std::span<const std::string_view> left_;  // empty after an error
  std::optional<std::string> error_;
};

}  // namespace vigil::server
