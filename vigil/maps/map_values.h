// SPDX-License-Identifier: Apache-2.0
//
// MapValues<Value>: what with_keys() hands to its callback: for each of the keys, in the order in
// which they were given, its value, or nothing if there is no entry. What the callback leaves there
// becomes the entry; nothing means no entry. Keys that are equal share one value, so a transfer
// from an account to itself changes nothing.
//
// Thread safety: belongs to the thread of the callback, and ends with it.
//
// Example:
//   vigil::ShardedMap<std::string, int> accounts;
//   accounts.insert("a", 10);
//   accounts.with_keys({"a", "b"}, [](vigil::MapValues<int>& values) {
//     *values[0] -= 4;
//     values[1] = values[1].value_or(0) + 4;
//   });
//   assert(accounts.get("a") == 6 && accounts.get("b") == 4);
#pragma once

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "vigil/base/check.h"

namespace vigil {

template <class Value>
class MapValues {
 public:
  // For the maps: the n-th key has the value `numbers[n]` of `distinct` ones.
  MapValues(std::vector<std::size_t> numbers, std::size_t distinct)
      : numbers_(std::move(numbers)), distinct_(distinct) {}
  MapValues(const MapValues&) = delete;
  MapValues& operator=(const MapValues&) = delete;

  // How many keys were given.
  [[nodiscard]] std::size_t size() const noexcept { return numbers_.size(); }
  // The value of the n-th key. REQUIRES: n < size().
  [[nodiscard]] std::optional<Value>& operator[](std::size_t n) {
    VIGIL_CHECK(n < numbers_.size(), "with_keys() was given fewer keys than that");
    return distinct_[numbers_[n]];
  }

  // For the maps.
  [[nodiscard]] std::optional<Value>& distinct(std::size_t number) { return distinct_[number]; }

 private:
  std::vector<std::size_t> numbers_;
  std::vector<std::optional<Value>> distinct_;
};

}  // namespace vigil
