// SPDX-License-Identifier: Apache-2.0
//
// Delta debugging: from a list that makes a test true to a short part of it that still does.
//
//   smallest_part(decisions, [&](const Decisions& part) { return shows_the_race(part); });
//
// Algorithm: ddmin of Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input"
// (IEEE TSE 2002), without the test of the subsets: here most of a list is not needed, and its
// complements find that as fast. First the empty list is tried, at the end each single element once
// more until none can go: the result is 1-minimal.
//
// Complexity: O(n^2) tests at worst, O(k log n) where k elements matter.
// Thread safety: that of the test.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace vigil::tools::race {

// REQUIRES: test(whole). `test` sees the elements in their order. It may say no to everything from
// some time on; then the shortest part found so far is the result.
template <class Element, class Test>
std::vector<Element> smallest_part(std::vector<Element> whole, Test test) {
  if (whole.empty() || test(std::vector<Element>())) return {};
  const auto without = [&](std::size_t begin, std::size_t end) {
    std::vector<Element> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(begin));
    part.insert(part.end(), whole.begin() + static_cast<std::ptrdiff_t>(end), whole.end());
    return part;
  };
  std::size_t chunk = (whole.size() + 1) / 2;
  for (;;) {
    bool removed = false;
    // From the end: late elements often follow from earlier ones.
    for (std::size_t end = whole.size(); end > 0;) {
      const std::size_t begin = end > chunk ? end - chunk : 0;
      std::vector<Element> part = without(begin, end);
      if (!part.empty() && test(part)) {
        whole = std::move(part);
        removed = true;
      }
      end = begin;
    }
    if (chunk == 1 && !removed) return whole;
    if (!removed || chunk >= whole.size()) chunk = std::max<std::size_t>(1, chunk / 2);
  }
}

}  // namespace vigil::tools::race
