// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/server.h"

#include <pthread.h>

#include <algorithm>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "vigil/base/check.h"
#include "vigil/cache/expiry_listener.h"
#include "vigil/server/reactor/mailbox.h"
#include "vigil/server/reactor/reactor.h"
#include "vigil/server/resp/commands/all_commands.h"
#include "vigil/server/resp/reactor_state.h"
#include "vigil/server/resp/session.h"
#include "vigil/server/transport/socket.h"

namespace vigil::server {

struct Server::Impl {
  SessionFactories factories;
  std::vector<std::unique_ptr<Reactor>> reactors;
  std::unique_ptr<RespShared> resp;
  std::vector<std::unique_ptr<RespReactor>> resp_reactors;
  std::optional<cache::ExpiryListener> expiry;
  std::optional<cache::RemovalListener> eviction;
  std::vector<std::thread> threads;
};

Server::Server(ServerOptions options, SessionFactory http_sessions)
    : state_(std::make_unique<ServerState>(std::move(options))), impl_(std::make_unique<Impl>()) {
  Impl& impl = *impl_;
  impl.factories.http = std::move(http_sessions);
  impl.factories.resp = [&impl](ReactorContext& context, Connection& connection) {
    return std::make_unique<RespSession>(*impl.resp_reactors[context.reactor], connection);
  };
  std::vector<Mailbox*> mailboxes;
  for (std::uint32_t i = 0; i < state_->options.threads; ++i) {
    impl.reactors.push_back(std::make_unique<Reactor>(*state_, i, impl.factories));
    mailboxes.push_back(&impl.reactors.back()->mailbox());
  }
  impl.resp = std::make_unique<RespShared>(*state_, all_commands(), mailboxes);
  for (const auto& reactor : impl.reactors) {
    reactor->set_peers(impl.reactors);
    impl.resp_reactors.push_back(std::make_unique<RespReactor>(reactor->context(), *impl.resp));
  }
  // A listener may not throw; the event is lost then.
  const auto announce = [&impl, this](KeyspaceEvents::Classes of, const char* event,
                                      std::string_view key) {
    ReactorCounters* const counters = Reactor::current_counters();
    Counter of_no_reactor;
    Counter& faults = counters == nullptr ? of_no_reactor : counters->connection_faults;
    static_cast<void>(contain_faults(state_->faults, faults, {"event of a key", 0},
                                     [&] { impl.resp->events.notify(of, event, key); }));
  };
  impl.eviction.emplace(state_->cache, cache::RemovalCause::kEvicted,
                        [announce](const cache::RemovedEntry& entry) {
                          announce(KeyspaceEvents::kEvicted, "evicted", entry.key);
                        });
  impl.expiry.emplace(state_->cache, [announce](const cache::RemovedEntry& entry) {
    announce(KeyspaceEvents::kExpired, "expired", entry.key);
    ReactorCounters* const counters = Reactor::current_counters();
    if (counters == nullptr) return;
    counters->expired_entries.add(1);
    const std::int64_t lag_ms = std::max<std::int64_t>(entry.now_ms - entry.header.deadline_ms, 0);
    counters->expiry_lag.record(static_cast<std::uint64_t>(lag_ms) * 1'000'000);
  });
}

Server::~Server() {
  request_stop();
  wait();
}

Result<void> Server::start() {
  Impl& impl = *impl_;
  VIGIL_CHECK(impl.threads.empty(), "the server was started before");
  const ServerOptions& options = state_->options;
  // Sockets beside the connections: listeners, epoll, eventfd and spare per reactor, files.
  raise_open_file_limit(std::uint64_t{options.connections_max} + 64 + 4 * options.threads);

  auto resp = listen_on(options.bind, options.resp_port, options.listen_backlog);
  if (!resp) return resp.error();
  state_->resp_port = local_port(resp->get());
  impl.reactors.front()->add_listener(std::move(*resp), Protocol::kResp);
  if (impl.factories.http) {
    auto http = listen_on(options.bind, options.http_port, options.listen_backlog);
    if (!http) return http.error();
    state_->http_port = local_port(http->get());
    impl.reactors.front()->add_listener(std::move(*http), Protocol::kHttp);
  }
  for (std::size_t i = 0; i < impl.reactors.size(); ++i) {
    impl.threads.emplace_back([&reactor = *impl.reactors[i]] { reactor.run(); });
    // What thread dumps and debuggers show.
    pthread_setname_np(impl.threads.back().native_handle(),
                       ("reactor-" + std::to_string(i)).c_str());
  }
  return {};
}

void Server::request_stop() noexcept {
  state_->draining.store(true, std::memory_order_seq_cst);
  for (const auto& reactor : impl_->reactors) reactor->mailbox().wake();
}

void Server::wait() {
  for (std::thread& thread : impl_->threads) {
    if (thread.joinable()) thread.join();
  }
}

std::string Server::resp_address() const {
  const std::string& bind = state_->options.bind;
  const bool v6 = bind.find(':') != std::string::npos;
  return (v6 ? "[" + bind + "]" : bind) + ":" + std::to_string(state_->resp_port);
}

std::string Server::http_address() const {
  if (state_->http_port == 0) return {};
  const std::string& bind = state_->options.bind;
  const bool v6 = bind.find(':') != std::string::npos;
  return (v6 ? "[" + bind + "]" : bind) + ":" + std::to_string(state_->http_port);
}

}  // namespace vigil::server
