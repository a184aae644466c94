// SPDX-License-Identifier: Apache-2.0
//
// type_name<T>(): the name of a type as the compiler writes it, std::string by that name; and
// map_type_name<"ShardedMap", std::string, Order>(): "ShardedMap<std::string, Order>". Both live as
// long as the program, so that a signal handler may print them.
//
// Use when: a report names a type. Use instead: typeid() and a demangler where T is not known when
// the program is compiled.
//
// Thread safety: pure. Complexity: all work is done by the compiler.
//
// Example:
//   assert(vigil::type_name<int>() == "int");
//   assert(vigil::type_name<std::string>() == "std::string");
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

namespace vigil {

namespace stacks {

// "... [with T = int]" by gcc, "... [T = int]" by clang: what surrounds the name is the same for
// every type.
template <class T>
[[nodiscard]] consteval auto signature() {
  return std::string_view(__PRETTY_FUNCTION__);
}

inline constexpr std::string_view kProbe = "double";
inline constexpr std::size_t kSignaturePrefix = signature<double>().find(kProbe);
inline constexpr std::size_t kSignatureSuffix =
    signature<double>().size() - kSignaturePrefix - kProbe.size();

// A literal's text as a template argument.
template <std::size_t kSize>
struct Literal {
  // NOLINTNEXTLINE(google-explicit-constructor): "text" is to be usable as the argument
  consteval Literal(const char (&literal)[kSize]) { std::copy_n(literal, kSize, text.data()); }
  [[nodiscard]] constexpr std::string_view view() const { return {text.data(), kSize - 1}; }
  std::array<char, kSize> text{};
};

}  // namespace stacks

template <class T>
[[nodiscard]] consteval std::string_view type_name() {
  if (std::is_same_v<T, std::string>) return "std::string";
  std::string_view name = stacks::signature<T>();
  name.remove_prefix(stacks::kSignaturePrefix);
  name.remove_suffix(stacks::kSignatureSuffix);
  return name;
}

namespace stacks {

template <Literal kTemplate, class Key, class Value>
struct MapTypeName {
  static constexpr std::array<std::string_view, 6> kParts = {
      kTemplate.view(), "<", type_name<Key>(), ", ", type_name<Value>(), ">"};
  static constexpr std::size_t size() {
    std::size_t sum = 0;
    for (const std::string_view part : kParts) sum += part.size();
    return sum;
  }
  static constexpr auto joined() {
    std::array<char, size()> text{};
    char* at = text.data();
    for (const std::string_view part : kParts) at = std::copy(part.begin(), part.end(), at);
    return text;
  }
  static constexpr std::array<char, size()> kText = joined();
};

}  // namespace stacks

// "kTemplate<Key, Value>".
template <stacks::Literal kTemplate, class Key, class Value>
[[nodiscard]] constexpr std::string_view map_type_name() {
  constexpr auto& kText = stacks::MapTypeName<kTemplate, Key, Value>::kText;
  return {kText.data(), kText.size()};
}

}  // namespace vigil
