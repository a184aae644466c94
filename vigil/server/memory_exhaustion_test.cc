// SPDX-License-Identifier: Apache-2.0
//
// Every allocation that a reactor makes while it serves a connection fails once: the connection may
// end, the server and the other connections may not, and the cache stays consistent.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include "vigil/server/http/session.h"
#include "vigil/server/reactor/reactor.h"
#include "vigil/server/reactor/test_socket.h"
#include "vigil/server/server.h"

namespace {

enum class Failing : std::uint8_t { kNothing, kOne, kAllFrom };

std::atomic<Failing> failing{Failing::kNothing};
std::atomic<std::int64_t> allocations_left{0};  // of reactors, until one fails

bool fails_now() {
  const Failing mode = failing.load(std::memory_order_acquire);
  if (mode == Failing::kNothing) return false;
  if (vigil::server::Reactor::current_counters() == nullptr) return false;
  const std::int64_t left = allocations_left.fetch_sub(1, std::memory_order_acq_rel);
  return mode == Failing::kOne ? left == 0 : left <= 0;
}

}  // namespace

// Not inlined: the compiler would take new and delete for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  void* const memory = fails_now() ? nullptr : std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace vigil::server {
namespace {

const std::string kResp =
    "SET key 1\r\nGET key\r\nMSET a 1 b 2\r\nMGET a b c\r\nAPPEND key \"a b\"\r\nINCR a\r\n"
    "SET due 1 PX 1\r\nEXPIRE a 100\r\nTTL a\r\nRENAME a e\r\nKEYS *\r\nSCAN 0\r\nDEL key e\r\n"
    "CLIENT SETNAME name\r\nCLIENT LIST\r\nCLIENT INFO\r\nINFO\r\nCONFIG GET *\r\nCOMMAND\r\n"
    "UNKNOWN a b\r\nGET\r\nSUBSCRIBE c d\r\nPSUBSCRIBE p* q*\r\nUNSUBSCRIBE c\r\nPUNSUBSCRIBE\r\n"
    "UNSUBSCRIBE\r\nPUBLISH elsewhere x\r\nPUBSUB CHANNELS\r\nHELLO 3\r\n"
    "ORDER.PUT o pending {}\r\nORDER.GET o\r\nSUBSCRIBE c d e\r\n";

std::string http(std::string_view head, std::string_view body) {
  return std::string(head) + " HTTP/1.1\r\nHost: v\r\nContent-Type: application/json\r\n" +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

std::string http_script() {
  return http("GET /orders/none", "") +
         "PUT /orders/1 HTTP/1.1\r\nHost: v\r\nContent-Type: application/json\r\n"
         "Idempotency-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n"
         "14;a=b\r\n{\"status\":\"pending\"}\r\n0\r\nt: t\r\n\r\n" +
         http("PATCH /orders/1", "{\"status\":\"paid\",\"payload\":{\"a\":[1,2]}}") +
         http("POST /orders:bulk", "[{\"id\":\"2\",\"status\":\"pending\"},{\"id\":3}]") +
         http("GET /orders/1/history", "") + http("GET /admin/stats", "") +
         http("GET /metrics", "") + http("DELETE /orders/1", "") + http("GET /a%2", "");
}

class MemoryExhaustionTest : public ::testing::Test {
 protected:
  MemoryExhaustionTest() {
    ServerOptions options;
    options.resp_port = 0;
    options.http_port = 0;
    options.threads = 2;
    options.cache.shards = 4;
    options.cache.memory_limit_bytes = std::uint64_t{1} << 28;
    options.notify_keyspace_events = "KEA";
    server_ = std::make_unique<Server>(options, http_sessions("[server]\n"));
    const Result<void> started = server_->start();
    EXPECT_TRUE(started) << started.error().message;
  }

  // Repeats `script` until it needs fewer allocations than are allowed before the failure. Where
  // all fail from one on, each failure is met by many starts.
  void run(Failing mode, std::uint16_t port, const std::string& script) {
    const auto witness = std::make_unique<TestSocket>(server_->state().resp_port);
    const auto listener = std::make_unique<TestSocket>(server_->state().resp_port);
    ASSERT_EQ(witness->request("PING\r\n", 7), "+PONG\r\n");  // it is accepted
    listener->request("SUBSCRIBE elsewhere\r\n", 38);
    const std::int64_t step = mode == Failing::kOne ? 1 : 7;
    std::int64_t allowed = 0;
    for (; allowed < 100'000; allowed += step) {
      allocations_left = allowed;
      failing = mode;
      TestSocket client(port);
      client.send(script);
      client.finish_sending();
      client.receive_all();
      failing = Failing::kNothing;
      ASSERT_EQ(witness->request("PING\r\n", 7), "+PONG\r\n") << "after " << allowed;
      if (allocations_left >= 0) break;
    }
    EXPECT_GT(allowed, 50) << "the script allocates";
  }

  void TearDown() override {
    server_->request_stop();
    server_->wait();
    server_->state().cache.check_invariants();  // nobody writes any more
  }

  [[nodiscard]] std::uint64_t faults() const {
    std::uint64_t sum = 0;
    for (const auto& counters : server_->state().counters) {
      sum += counters->connection_faults.value();
    }
    return sum;
  }

  std::unique_ptr<Server> server_;
};

TEST_F(MemoryExhaustionTest, ARespConnectionEndsAlone) {
  run(Failing::kOne, server_->state().resp_port, kResp);
  EXPECT_GT(faults(), 10U);
  run(Failing::kAllFrom, server_->state().resp_port, kResp);
}

TEST_F(MemoryExhaustionTest, AnHttpConnectionEndsAlone) {
  run(Failing::kOne, server_->state().http_port, http_script());
  EXPECT_GT(faults(), 10U);
  run(Failing::kAllFrom, server_->state().http_port, http_script());
}

}  // namespace
}  // namespace vigil::server
