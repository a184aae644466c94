// SPDX-License-Identifier: Apache-2.0
//
// Result<T>: a value or an Error, in the shape of C++23's std::expected.
//
// Use when: an operation fails for reasons the caller must handle (files, sockets, configuration,
// peer input). Use instead: std::optional or bool where absence is the only outcome (maps), and
// VIGIL_CHECK for programmer errors.
//
//   Result<int> port = parse_port("6390");
//   if (!port) return port.error();
//   listen(*port);
//
// Thread safety: as for a plain value.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "vigil/base/check.h"

namespace vigil {

// What went wrong and what to do about it, in one sentence for a person.
struct [[nodiscard]] Error {
  std::string message;

  // "while reading vigild.toml: expected a number"
  [[nodiscard]] Error while_doing(std::string_view activity) const {
    return Error{std::string("while ").append(activity).append(": ").append(message)};
  }
};

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  // REQUIRES: has_value().
  [[nodiscard]] T& value() & { return *checked(); }
  [[nodiscard]] const T& value() const& { return *const_cast<Result*>(this)->checked(); }
  [[nodiscard]] T&& value() && { return std::move(*checked()); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return checked(); }
  const T* operator->() const { return const_cast<Result*>(this)->checked(); }

  // REQUIRES: !has_value().
  [[nodiscard]] const Error& error() const {
    VIGIL_CHECK(!has_value(), "error() was called on a Result that holds a value");
    return *std::get_if<1>(&state_);
  }

 private:
  T* checked() {
    VIGIL_CHECK(has_value(), "value() was called on a Result that holds an error");
    return std::get_if<0>(&state_);
  }

  std::variant<T, Error> state_;
};

// Success without a value.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), failed_(true) {}

  [[nodiscard]] bool has_value() const { return !failed_; }
  explicit operator bool() const { return has_value(); }

  // REQUIRES: !has_value().
  [[nodiscard]] const Error& error() const {
    VIGIL_CHECK(failed_, "error() was called on a Result that succeeded");
    return error_;
  }

 private:
  Error error_;
  bool failed_ = false;
};

}  // namespace vigil
