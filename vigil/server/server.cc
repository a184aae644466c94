// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/server.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
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
  std::vector<SocketFile> socket_files;
  std::vector<std::thread> threads;
  std::uint32_t asked = 0;               // reactors, whether they turn
  std::atomic<std::uint32_t> turned{0};  // of them, since then

  Result<void> listen(const std::string& address, std::uint16_t port, const std::string& path,
                      Protocol protocol, const ServerState& state, std::uint16_t* bound_port);
};

// On a port, and on a path if there is one.
Result<void> Server::Impl::listen(const std::string& address, std::uint16_t port,
                                  const std::string& path, Protocol protocol,
                                  const ServerState& state, std::uint16_t* bound_port) {
  const int backlog = state.options.listen_backlog;
  auto socket = listen_on(address, port, backlog);
  if (!socket) return socket.error();
  *bound_port = local_port(socket->get());
  reactors.front()->add_listener(std::move(*socket), protocol);
  if (path.empty()) return {};
  auto local = listen_on_path(path, backlog);
  if (!local) return local.error();
  reactors.front()->add_listener(std::move(local->socket), protocol);
  socket_files.push_back(std::move(local->file));
  return {};
}

Server::Server(ServerOptions options, SessionFactory http_sessions,
               std::unique_ptr<DataDirectory> data)
    : state_(std::make_unique<ServerState>(std::move(options), std::move(data))),
      impl_(std::make_unique<Impl>()) {
  Impl& impl = *impl_;
  state_->stop_process = [this] { request_stop(); };
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

Result<void> Server::start(Reports reports) {
  Impl& impl = *impl_;
  VIGIL_CHECK(impl.threads.empty(), "the server was started before");
  const ServerOptions& options = state_->options;
  // Sockets beside the connections: listeners, epoll, eventfd and spare per reactor, files.
  raise_open_file_limit(std::uint64_t{options.connections_max} + 64 + 4 * options.threads);

  Result<void> resp = impl.listen(options.bind, options.resp_port, options.resp_socket,
                                  Protocol::kResp, *state_, &state_->resp_port);
  if (!resp) return resp;
  if (impl.factories.http) {
    Result<void> http = impl.listen(options.bind, options.http_port, options.http_socket,
                                    Protocol::kHttp, *state_, &state_->http_port);
    if (!http) return http;
  }
  for (std::size_t i = 0; i < impl.reactors.size(); ++i) {
    impl.threads.emplace_back([&reactor = *impl.reactors[i]] { reactor.run(); });
    // What thread dumps and debuggers show.
    pthread_setname_np(impl.threads.back().native_handle(),
                       ("reactor-" + std::to_string(i)).c_str());
  }
  start_durability(std::move(reports));
  return {};
}

void Server::start_durability(Reports reports) {
  const auto& reactors = impl_->reactors;
  Durability::Listener listener;
  listener.recovered = [&reactors, loaded = std::move(reports.loaded)](const Result<void>& result) {
    for (const auto& reactor : reactors) reactor->mailbox().wake();  // expiry begins
    if (loaded) loaded(result);
  };
  listener.committed = [&reactors](log::Position position) {
    for (const auto& reactor : reactors) reactor->commit_gate().advance(position);
  };
  listener.failed = [&reactors] {
    for (const auto& reactor : reactors) reactor->commit_gate().fail();
  };
  const auto nobody = [](std::string_view) {};
  listener.note = reports.note ? std::move(reports.note) : nobody;
  listener.warning = reports.warning ? std::move(reports.warning) : nobody;
  state_->durability.start(std::move(listener));
}

bool Server::reactors_turn() {
  Impl& impl = *impl_;
  const auto count = static_cast<std::uint32_t>(impl.reactors.size());
  if (impl.turned.load(std::memory_order_relaxed) < impl.asked) return false;
  impl.turned.store(0, std::memory_order_relaxed);
  impl.asked = count;
  for (const auto& reactor : impl.reactors) {
    reactor->mailbox().post([&impl] { impl.turned.fetch_add(1, std::memory_order_relaxed); });
  }
  return true;
}

void Server::request_stop() noexcept {
  state_->draining.store(true, std::memory_order_seq_cst);
  for (const auto& reactor : impl_->reactors) reactor->mailbox().wake();
}

void Server::wait() {
  for (std::thread& thread : impl_->threads) {
    if (thread.joinable()) thread.join();
  }
  state_->durability.stop();
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
