// SPDX-License-Identifier: Apache-2.0
//
// MapRequirements: what every map of the family asks of Key, Value, Hash and Equal, as sentences
// that the compiler prints before anything else.
//
// Thread safety: nothing exists when the program runs.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>

namespace vigil::maps::internal {

template <class Key, class Value, class Hash, class Equal>
struct MapRequirements {
  static constexpr bool kIsText = std::is_same_v<Key, std::string>;
  using Lookup = std::conditional_t<kIsText, std::string_view, const Key&>;

  static_assert(std::is_object_v<Key> && std::same_as<Key, std::remove_cv_t<Key>>,
                "the Key of a map must be an object type without const");
  static_assert(std::copy_constructible<Key>,
                "the Key of a map must be copy-constructible: the map stores a copy of the key");
  static_assert(std::is_object_v<Value> && std::same_as<Value, std::remove_cv_t<Value>>,
                "the Value of a map must be an object type without const");
  static_assert(std::move_constructible<Value>, "the Value of a map must be move-constructible");
  static_assert(std::copy_constructible<Hash> && std::copy_constructible<Equal>,
                "Hash and Equal of a map must be copy-constructible");
  static_assert(std::is_invocable_r_v<std::uint64_t, const Hash&, Lookup>,
                "the Hash of a map must be callable when const and return an integer: with "
                "std::string_view if Key is std::string, else with const Key&");
  // std::equal_to can be named for any type, and called only for those that have ==.
  static constexpr bool kComparesByOperator = std::same_as<Equal, std::equal_to<Key>>;
  static_assert(kComparesByOperator ? std::equality_comparable<Key>
                                    : std::predicate<const Equal&, Lookup, Lookup>,
                "the Equal of a map must compare two keys when const: two std::string_view if Key "
                "is std::string, else two const Key&");
};

}  // namespace vigil::maps::internal
