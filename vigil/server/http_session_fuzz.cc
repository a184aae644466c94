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
#include "vigil/server/http_session.h"

namespace {

using vigil::server::Consumed;
using vigil::server::HttpSession;
using vigil::server::Output;

constexpr std::size_t kPaddingBytes = 64;  // what Session promises behind the input

struct Fixture {
  Fixture() : state(options()), context{state, 0, clock, *state.counters.front()} {}

  static vigil::server::ServerOptions options() {
    vigil::server::ServerOptions options;
    options.threads = 1;
    options.cache.shards = 1;
    options.http_body_bytes_max = 1024;
    return options;
  }

  vigil::server::ServerState state;
  vigil::CoarseClock clock;
  vigil::server::ReactorContext context;
};

// Feeds `input` in pieces of `step` bytes; returns how many responses there were.
std::size_t run(Fixture& fixture, std::string_view input, std::size_t step) {
  HttpSession session(fixture.context);
  Output output;
  std::string pending;
  std::size_t fed = 0;
  bool closed = false;
  while (fed < input.size() && !closed) {
    const std::size_t piece = std::min(step, input.size() - fed);
    pending.append(input, fed, piece);
    fed += piece;
    const std::size_t offered = pending.size();
    pending.append(kPaddingBytes, 'x');
    const Consumed consumed = session.consume(std::string_view(pending).substr(0, offered), output);
    VIGIL_CHECK(consumed.bytes <= offered, "a session takes no more than it was given");
    pending.resize(offered);
    pending.erase(0, consumed.bytes);
    closed = consumed.close;
  }
  std::size_t responses = 0;
  std::string_view sent = output.view();
  VIGIL_CHECK(sent.empty() || sent.starts_with("HTTP/1.1 "), "output starts with a response");
  for (std::size_t at = 0; (at = sent.find("HTTP/1.1 ", at)) != std::string_view::npos; ++at) {
    const bool interim = sent.substr(at).starts_with("HTTP/1.1 100 ");
    if (!interim) ++responses;
  }
  return responses;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  static Fixture fixture;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t whole = run(fixture, input, input.size());
  const std::size_t pieces = run(fixture, input, 1 + data[0] % 16);
  VIGIL_CHECK(whole == pieces, "cutting the input does not change the number of responses");
  return 0;
}
