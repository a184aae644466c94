// SPDX-License-Identifier: Apache-2.0
//
// KeyNumbers: which of several keys are equal, and in which order to lock what belongs to them.
//
//   given      "b" "a" "b"
//   distinct   0: "a"  1: "b"        by order_of(hash), so that every thread has the same order
//   number     1   0   1             of each given key
//
// Probes are those of a KeyCodec or of FlatKeys. O(k log k) for k keys, if hashes differ.
//
// Thread safety: a plain value.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <tuple>
#include <vector>

namespace vigil::maps::internal {

class KeyNumbers {
 public:
  // Throws what Equal throws, and std::bad_alloc.
  template <class Probe, class OrderOf>
  KeyNumbers(std::span<const Probe> probes, OrderOf&& order_of) : number_(probes.size()) {
    std::vector<std::size_t> order(probes.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto rank = [&](std::size_t n) {
      return std::tuple(order_of(probes[n].hash()), probes[n].hash(), n);
    };
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return rank(a) < rank(b); });
    for (const std::size_t n : order) number_[n] = number_of(probes, n);
  }

  [[nodiscard]] std::size_t distinct() const noexcept { return first_.size(); }
  // The first of the given keys that is the distinct one `number`.
  [[nodiscard]] std::size_t first(std::size_t number) const noexcept { return first_[number]; }
  // Of each given key.
  [[nodiscard]] const std::vector<std::size_t>& numbers() const noexcept { return number_; }

 private:
  // Keys that are equal have equal hashes and so come one after the other.
  template <class Probe>
  std::size_t number_of(std::span<const Probe> probes, std::size_t n) {
    for (std::size_t d = first_.size(); d != 0; --d) {
      const Probe& earlier = probes[first_[d - 1]];
      if (earlier.hash() != probes[n].hash()) break;
      if (earlier.same_key(probes[n])) return d - 1;
    }
    first_.push_back(n);
    return first_.size() - 1;
  }

  std::vector<std::size_t> number_;
  std::vector<std::size_t> first_;
};

}  // namespace vigil::maps::internal
