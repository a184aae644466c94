// SPDX-License-Identifier: Apache-2.0
//
// expand_runs: lets a short input of a fuzz target reach the limits of the server, which lie far
// beyond the lengths that a fuzzer tries. The four bytes FE c h l stand for h * 256 + l times the
// byte c; all others stand for themselves.
//
// Thread safety: a pure function.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::testing {

[[nodiscard]] inline std::string expand_runs(std::string_view input) {
  constexpr char kRun = '\xFE';
  constexpr std::size_t kBytesMax = std::size_t{1} << 19;
  std::string expanded;
  while (!input.empty() && expanded.size() < kBytesMax) {
    if (input.front() == kRun && input.size() >= 4) {
      const auto high = static_cast<std::uint8_t>(input[2]);
      const auto low = static_cast<std::uint8_t>(input[3]);
      expanded.append(std::size_t{high} * 256 + low, input[1]);
      input.remove_prefix(4);
      continue;
    }
    const std::string_view plain = input.substr(0, std::max<std::size_t>(input.find(kRun), 1));
    expanded.append(plain);
    input.remove_prefix(plain.size());
  }
  return expanded;
}

}  // namespace vigil::testing
