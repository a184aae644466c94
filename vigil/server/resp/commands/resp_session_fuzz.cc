// SPDX-License-Identifier: Apache-2.0
//
// RESP connections: runs are expanded (fuzz_runs.h), and the input comes in two pieces. Whatever
// arrives, the session throws nothing, keeps no more than its limits, answers with replies and
// leaves the cache consistent. The cache is kept over executions, so that inputs find keys of
// earlier ones; it is emptied now and then.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "vigil/base/check.h"
#include "vigil/server/resp/commands/test_session.h"
#include "vigil/testing/fuzz_runs.h"

namespace {

using vigil::server::RespTestClient;
using vigil::server::RespTestServer;

constexpr std::size_t kRequestMax = 100'000;

vigil::server::ServerOptions limited_options() {
  vigil::server::ServerOptions options = vigil::server::small_server_options();
  options.request_bytes_max = kRequestMax;
  options.request_args_max = 1000;
  return options;
}

void send(RespTestClient* client, std::string_view bytes) {
  const std::string answer = client->send(bytes);
  VIGIL_CHECK(
      answer.empty() || std::string_view("+-:$*_#,(%~>").find(answer[0]) != std::string_view::npos,
      "an answer is a reply");
  VIGIL_CHECK(client->closed() ||
                  client->pending() <= std::max(kRequestMax, vigil::server::RespParser::kLineMax),
              "what waits for more is within the limits");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static RespTestServer server(limited_options());
  static std::uint64_t executions = 0;
  {
    RespTestClient client(server);
    const std::string input =
        vigil::testing::expand_runs({reinterpret_cast<const char*>(data), size});
    const std::string_view view = input;
    send(&client, view.substr(0, input.size() / 2));
    send(&client, view.substr(input.size() / 2));
    static_cast<void>(client.received());
  }
  if (++executions % 1024 == 0) {
    server.state().cache.check_invariants();
    server.state().cache.clear();
  }
  return 0;
}
