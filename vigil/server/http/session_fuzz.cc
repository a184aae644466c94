// SPDX-License-Identifier: Apache-2.0
//
// HTTP connections: the first byte says into which pieces the rest is cut; whatever arrives, the
// session takes no more than it was given, answers only with whole responses, and does not depend
// on how the bytes were cut.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "vigil/base/check.h"
#include "vigil/server/http/testing.h"

namespace {

using vigil::server::HttpTestbed;

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
  }
  VIGIL_CHECK(sent.empty() || sent.starts_with("HTTP/1.1 "), "output starts with a response");
  return answered.value() - before;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  static HttpTestbed testbed;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::uint64_t whole = run(&testbed, input, input.size());
  const std::uint64_t pieces = run(&testbed, input, 1 + data[0] % 16);
  VIGIL_CHECK(whole == pieces, "cutting the input does not change how many requests are answered");
  return 0;
}
