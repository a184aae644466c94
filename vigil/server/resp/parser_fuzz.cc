// SPDX-License-Identifier: Apache-2.0
//
// The first byte chooses how the rest is cut into reads; the requests must not depend on it. Runs
// are expanded (fuzz_runs.h).
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/base/check.h"
#include "vigil/server/resp/parser.h"
#include "vigil/testing/fuzz_runs.h"

namespace {

using vigil::server::RespArguments;
using vigil::server::RespParser;

struct Parsed {
  std::vector<std::string> arguments;
  std::string error;

  bool operator==(const Parsed&) const = default;
};

Parsed parse(std::string_view input, std::size_t piece) {
  constexpr RespParser::Limits kLimits{4096, 64};
  RespParser parser(kLimits);
  Parsed parsed;
  std::size_t start = 0;
  for (std::size_t end = 0; end < input.size();) {
    end = std::min(end + piece, input.size());
    for (;;) {
      RespArguments arguments;
      const auto status = parser.parse(input.substr(start, end - start), true, arguments);
      if (status == RespParser::Status::kIncomplete) break;
      if (status == RespParser::Status::kError) {
        parsed.error = parser.error();
        return parsed;
      }
      VIGIL_CHECK(parser.consumed() != 0, "a request took no bytes");
      start += parser.consumed();
      VIGIL_CHECK(start <= end, "a request took bytes that were not offered");
      for (const auto view : arguments.views) parsed.arguments.emplace_back(view);
      parsed.arguments.emplace_back("|");
    }
  }
  return parsed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string input =
      vigil::testing::expand_runs({reinterpret_cast<const char*>(data) + 1, size - 1});
  const Parsed whole = parse(input, input.size() + 1);
  const Parsed pieces = parse(input, std::size_t{data[0]} + 1);
  VIGIL_CHECK(whole == pieces, "the requests depend on how the bytes were cut");
  return 0;
}
