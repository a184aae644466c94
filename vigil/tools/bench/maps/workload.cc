// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/bench/maps/workload.h"

#include <algorithm>
#include <cmath>

namespace vigil::tools {
namespace {

constexpr double kZipfExponent = 0.99;

// The chance of a rank or a smaller one, by rank.
std::vector<double> zipf_distribution(std::uint64_t entries) {
  std::vector<double> cumulative(entries);
  double sum = 0;
  for (std::uint64_t rank = 0; rank < entries; ++rank) {
    sum += std::pow(static_cast<double>(rank + 1), -kZipfExponent);
    cumulative[rank] = sum;
  }
  for (double& chance : cumulative) chance /= sum;
  return cumulative;
}

}  // namespace

std::string_view name_of(Distribution distribution) {
  return distribution == Distribution::kZipf ? "zipf" : "uniform";
}

std::vector<std::uint32_t> draw_keys(Distribution distribution, std::uint64_t entries,
                                     std::size_t count) {
  Random random(entries);
  std::vector<std::uint32_t> drawn(count);
  if (distribution == Distribution::kUniform) {
    for (std::uint32_t& n : drawn) n = static_cast<std::uint32_t>(random.below(entries));
    return drawn;
  }
  const std::vector<double> cumulative = zipf_distribution(entries);
  for (std::uint32_t& n : drawn) {
    const auto rank = std::upper_bound(cumulative.begin(), cumulative.end(), random.unit());
    n = static_cast<std::uint32_t>(std::min<std::uint64_t>(
        static_cast<std::uint64_t>(rank - cumulative.begin()), entries - 1));
  }
  return drawn;
}

}  // namespace vigil::tools
