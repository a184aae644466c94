// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/suggestion.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>

namespace vigil::text {
namespace {

// Insertions, deletions, replacements and swaps of neighbours that make `b` of `a`.
std::size_t distance(std::string_view a, std::string_view b) {
  using Row = std::vector<std::size_t>;  // distances of a's beginning to each beginning of b
  Row before_last(b.size() + 1);
  Row last(b.size() + 1);
  Row row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::swap(before_last, last);
    std::swap(last, row);
    row[0] = i + 1;
    for (std::size_t k = 0; k < b.size(); ++k) {
      const std::size_t replaced = last[k] + (a[i] == b[k] ? 0 : 1);
      row[k + 1] = std::min({replaced, row[k] + 1, last[k + 1] + 1});
      const bool swapped = i > 0 && k > 0 && a[i] == b[k - 1] && a[i - 1] == b[k];
      if (swapped) row[k + 1] = std::min(row[k + 1], before_last[k - 1] + 1);
    }
  }
  return row.back();
}

}  // namespace

std::string suggestion(std::string_view name, const std::vector<std::string_view>& candidates) {
  constexpr std::size_t kNameBytesMax = 64;  // the distance is quadratic
  if (name.size() > kNameBytesMax) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t candidate_distance = distance(name, candidate);
    if (candidate_distance >= best_distance) continue;
    best = candidate;
    best_distance = candidate_distance;
  }
  return best.empty() ? std::string() : "; did you mean " + std::string(best) + "?";
}

}  // namespace vigil::text
