// SPDX-License-Identifier: Apache-2.0
//
// HTTP connections: the first byte says into which pieces the rest is cut; runs are expanded
// (fuzz_runs.h). Whatever arrives, the session throws nothing, takes no more than it was given,
// keeps no more than its limits, answers only with whole responses, and does not depend on how the
// bytes were cut.
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "vigil/base/check.h"
#include "vigil/server/http/testing.h"
#include "vigil/testing/fuzz_runs.h"

namespace {

using vigil::server::HttpTestbed;

// Takes one response from the front of *sent. That of HEAD has a length, but no body.
void take_response(std::string_view* sent) {
  VIGIL_CHECK(sent->starts_with("HTTP/1.1 "), "a response starts with its status line");
  const std::size_t head_end = sent->find("\r\n\r\n");
  VIGIL_CHECK(head_end != std::string_view::npos, "the head of a response ends");
  const std::string_view head = sent->substr(0, head_end);
  sent->remove_prefix(head_end + 4);
  constexpr std::string_view kLength = "\r\nContent-Length: ";
  const std::size_t field = head.find(kLength);
  if (field == std::string_view::npos || sent->empty() || sent->starts_with("HTTP/1.1 ")) return;
  std::size_t length = 0;
  const char* const digits = head.data() + field + kLength.size();
  std::from_chars(digits, head.data() + head.size(), length);
  VIGIL_CHECK(length <= sent->size(), "the body of a response is whole");
  sent->remove_prefix(length);
}

// Feeds `input` in pieces of `step` bytes; returns how many requests were answered.
std::uint64_t run(HttpTestbed* testbed, std::string_view input, std::size_t step) {
  const vigil::server::Counter& answered =
      testbed->context()
          .counters.commands[static_cast<std::size_t>(vigil::server::CommandFamily::kHttp)];
  const std::uint64_t before = answered.value();
  testbed->reconnect();
  std::string sent;
  while (!input.empty() && !testbed->closed()) {
    const std::string_view piece = input.substr(0, step);
    input.remove_prefix(piece.size());
    sent += testbed->send(piece);
    VIGIL_CHECK(testbed->closed() ||
                    testbed->pending_bytes() < vigil::server::HttpLimits{}.header_bytes_max,
                "what waits for more is within the limit of a header");
  }
  for (std::string_view rest = sent; !rest.empty();) take_response(&rest);
  return answered.value() - before;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  static HttpTestbed testbed;
  const std::string input =
      vigil::testing::expand_runs({reinterpret_cast<const char*>(data) + 1, size - 1});
  const std::size_t unit = input.size() > 8192 ? 100 : 1;
  const std::uint64_t whole = run(&testbed, input, input.size());
  const std::uint64_t pieces = run(&testbed, input, unit * (1 + data[0] % 16));
  VIGIL_CHECK(whole == pieces, "cutting the input does not change how many requests are answered");
  return 0;
}
