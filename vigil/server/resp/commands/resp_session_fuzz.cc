// SPDX-License-Identifier: Apache-2.0
//
// Arbitrary bytes to a RESP session: it must neither crash nor leave the cache inconsistent. The
// cache is kept over executions, so that inputs find keys of earlier ones; it is emptied now and
// then.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "vigil/server/resp/commands/test_session.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using vigil::server::RespTestClient;
  using vigil::server::RespTestServer;
  static RespTestServer server;
  static std::uint64_t executions = 0;
  {
    RespTestClient client(server);
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t half = size / 2;
    static_cast<void>(client.send(input.substr(0, half)));
    static_cast<void>(client.send(input.substr(half)));
    static_cast<void>(client.received());
  }
  if (++executions % 1024 == 0) {
    server.state().cache.check_invariants();
    server.state().cache.clear();
  }
  return 0;
}
