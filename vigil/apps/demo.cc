// SPDX-License-Identifier: Apache-2.0
#include "vigil/apps/demo.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <utility>

#include "vigil/apps/demo_orders.h"
#include "vigil/apps/loopback_client.h"
#include "vigil/base/random.h"

namespace vigil::apps {

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kTick{10};
constexpr int kRespEventsPerTick = 16;
constexpr int kHttpEventsPerTick = 4;
constexpr int kTicksPerReport = 1000;

// Where a client on this machine reaches a server bound to `bind`.
std::string reachable(const std::string& bind) {
  if (bind == "0.0.0.0") return "127.0.0.1";
  return bind == "::" ? "::1" : bind;
}

struct Target {
  std::string address;
  std::uint16_t resp_port;
  std::uint16_t http_port;
  std::string password;
};

struct Tally {
  std::uint64_t events = 0;
  std::uint64_t refused = 0;
};

// One tick's events as one write and their replies, on each protocol.
Result<void> play_resp(LoopbackClient* client, DemoOrders* orders, Tally* tally) {
  std::string requests;
  for (int i = 0; i < kRespEventsPerTick; ++i) requests += to_resp(orders->next());
  if (Result<void> sent = client->send(requests); !sent) return sent.error();
  for (int i = 0; i < kRespEventsPerTick; ++i) {
    const Result<bool> accepted = client->read_resp_reply();
    if (!accepted) return accepted.error();
    ++tally->events;
    if (!*accepted) ++tally->refused;
  }
  return {};
}

Result<void> play_http(LoopbackClient* client, DemoOrders* orders, const std::string& password,
                       Tally* tally) {
  std::string requests;
  for (int i = 0; i < kHttpEventsPerTick; ++i) requests += to_http(orders->next(), password);
  if (Result<void> sent = client->send(requests); !sent) return sent.error();
  for (int i = 0; i < kHttpEventsPerTick; ++i) {
    const Result<int> status = client->read_http_reply();
    if (!status) return status.error();
    ++tally->events;
    if (*status >= 400) ++tally->refused;
  }
  return {};
}

Result<void> log_in(LoopbackClient* client, const std::string& password) {
  if (password.empty()) return {};
  if (Result<void> sent = client->send(resp_request({"AUTH", password})); !sent)
    return sent.error();
  const Result<bool> accepted = client->read_resp_reply();
  if (!accepted) return accepted.error();
  if (!*accepted) return Error{"AUTH was refused"};
  return {};
}

// Waits for the next tick; false when asked to stop.
bool wait_until(const std::stop_token& stop, Clock::time_point when) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait_until(lock, stop, when, [] { return false; });
  return !stop.stop_requested();
}

Result<void> play(const std::stop_token& stop, const Target& target, DemoOrders orders) {
  Result<LoopbackClient> resp = LoopbackClient::connect(target.address, target.resp_port);
  if (!resp) return resp.error();
  Result<LoopbackClient> http = LoopbackClient::connect(target.address, target.http_port);
  if (!http) return http.error();
  if (Result<void> done = log_in(&*resp, target.password); !done) return done.error();

  Tally tally;
  Clock::time_point tick = Clock::now();
  for (int ticks = 1;; ++ticks) {
    if (Result<void> done = play_resp(&*resp, &orders, &tally); !done) return done.error();
    Result<void> done = play_http(&*http, &orders, target.password, &tally);
    if (!done) return done.error();
    if (ticks % kTicksPerReport == 0) {
      spdlog::info("demo: {} order events, {} of them refused", tally.events, tally.refused);
      tally = {};
    }
    // A tick that took long is not caught up with: the rate is a limit.
    tick = std::max(tick + kTick, Clock::now());
    if (!wait_until(stop, tick)) return {};
  }
}

void print_try_it(const Target& target, const std::string& order_id) {
  const char* const host = target.address.c_str();
  const bool secret = !target.password.empty();
  const char* const curl_auth = secret ? " -H 'Authorization: Bearer PASSWORD'" : "";
  const char* const redis_auth = secret ? " --askpass" : "";
  const bool v6 = target.address.find(':') != std::string::npos;
  const std::string url = std::string("http://") + (v6 ? "[" : "") + target.address +
                          (v6 ? "]" : "") + ":" + std::to_string(target.http_port);
  std::fprintf(stderr,
               "\nA live order workload runs. Try:\n"
               "  redis-cli -h %s -p %u%s ORDER.GET %s\n"
               "  redis-cli -h %s -p %u%s SET greeting hello EX 60\n"
               "  curl%s %s/orders/%s\n"
               "  curl%s -X PUT -H 'Content-Type: application/json' "
               "-d '{\"status\":\"%s\",\"payload\":{\"amount\":\"12.50\"}}' %s/orders/A-1\n"
               "  curl %s/metrics\n"
               "Ctrl-C stops.\n\n",
               host, target.resp_port, redis_auth, order_id.c_str(), host, target.resp_port,
               redis_auth, curl_auth, url.c_str(), order_id.c_str(), curl_auth, "pending",
               url.c_str(), url.c_str());
}

}  // namespace

Demo::Demo(const server::ServerState& server) {
  const Target target{reachable(server.options.bind), server.resp_port, server.http_port,
                      server.options.password};
  const std::uint64_t seed = random_seed();
  spdlog::info("demo: seed {}", seed);
  DemoOrders orders(server.orders.table(), seed);
  print_try_it(target, orders.sample_id());
  thread_ = std::jthread([target, orders = std::move(orders)](const std::stop_token& stop) mutable {
    const Result<void> ended = play(stop, target, std::move(orders));
    if (!ended) spdlog::error("demo: stopped: {}", ended.error().message);
  });
}

}  // namespace vigil::apps
