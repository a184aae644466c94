// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/reactor/reactor.h"

#include <time.h>

#include <algorithm>
#include <utility>

#include "vigil/base/check.h"

namespace vigil::server {

namespace {

constexpr std::int64_t kNever = Deadlines::kNever;
constexpr std::int64_t kSleepMax_ms = 60'000;
constexpr std::int64_t kCpuRefresh_ms = 1000;
constexpr std::int64_t kFollowInterval_ns = 100'000;  // of the wall clock

thread_local ReactorCounters* this_thread_counters = nullptr;

}  // namespace

Reactor::Reactor(ServerState& server, std::uint32_t index, const SessionFactories& factories)
    : server_(server),
      factories_(factories),
      context_{server, index, clock_, *server.counters[index]},
      mailbox_(std::make_shared<Mailbox>()),
      acceptor_(server, context_.counters, poller_,
                [this](std::uint32_t reactor, AcceptedSocket accepted) {
                  hand_over(reactor, std::move(accepted));
                }),
      host_(server.options, server.durability, server.faults, server.buffers, index, clock_,
            context_.counters, mailbox_),
      deadlines_(server.options) {
  VIGIL_CHECK(poller_.add(mailbox_->event_fd(), EPOLLIN, mailbox_.get()),
              "the system has no epoll watch left for a reactor's mailbox");
}

Reactor::~Reactor() = default;

ReactorCounters* Reactor::current_counters() { return this_thread_counters; }

void Reactor::add_listener(FileDescriptor socket, Protocol protocol) {
  acceptor_.listen(std::move(socket), protocol);
}

// --- The loop ------------------------------------------------------------------------------------

void Reactor::run() {
  this_thread_counters = &context_.counters;
  std::int64_t woke_ns = monotonic_ns();
  while (!finished()) {
    const int timeout = prepare_wait();
    context_.counters.busy_ns.add(static_cast<std::uint64_t>(monotonic_ns() - woke_ns));
    const std::span<const epoll_event> events = poller_.wait(timeout);
    woke_ns = end_wait();
    for (const epoll_event& event : events) handle(event.data.ptr, event.events);
    if (server_.draining.load(std::memory_order_acquire)) begin_drain();
    expire();
    run_mail();
    server_.durability.commit_soon();
    host_.commit_gate.release([](Connection& connection) { connection.request_attention(); });
    attend();
    deadlines_.sweep(connections_, clock_.unix_ms(), [this](Connection& connection) {
      connection.time_out();
      follow_up(connection);
    });
    closed_.clear();
    wake_late_peers();
    refresh_cpu_time();
  }
  while (!connections_.empty()) {
    connections_.back()->close();
    follow_up(*connections_.back());
  }
  closed_.clear();
  this_thread_counters = nullptr;
}

// Decides how long to sleep, announcing it to senders of mail, committers and setters of deadlines.
int Reactor::prepare_wait() {
  if (expiry_left_ || !mailbox_->prepare_sleep() || !host_.commit_gate.prepare_sleep()) return 0;
  wakes_at_ms_.store(kNever, std::memory_order_seq_cst);
  std::int64_t next = next_expiry_ms(context_.reactor);
  next = std::min(next, deadlines_.next_sweep_ms());
  if (drain_deadline_ms_ != 0) next = std::min(next, drain_deadline_ms_);
  wakes_at_ms_.store(next, std::memory_order_seq_cst);
  if (next == kNever) return -1;
  return static_cast<int>(std::clamp<std::int64_t>(next - unix_ms(), 1, kSleepMax_ms));
}

// Returns when the reactor woke up.
std::int64_t Reactor::end_wait() {
  const std::int64_t woke_ns = clock_.tick();
  follow_wall_clock(woke_ns);
  mailbox_->end_sleep();
  host_.commit_gate.end_sleep();
  wakes_at_ms_.store(0, std::memory_order_relaxed);
  context_.counters.turns.add(1);
  return woke_ns;
}

// A busy reactor turns more often than it needs to look.
void Reactor::follow_wall_clock(std::int64_t woke_ns) {
  if (woke_ns < follow_ns_) return;
  follow_ns_ = woke_ns + kFollowInterval_ns;
  server_.wall_clock.follow(clock_.unix_ms());
}

void Reactor::handle(void* source, std::uint32_t events) {
  if (source == mailbox_.get()) {
    context_.counters.wakeups.add(1);
    mailbox_->clear_event();
    return;
  }
  if (acceptor_.accept_from(source)) return;
  auto& connection = *static_cast<Connection*>(source);
  if (connection.closed()) return;  // earlier in this turn
  connection.serve(events);
  follow_up(connection);
  if (server_.buffers.exceeded()) [[unlikely]]
    shed();
}

template <class Work>
bool Reactor::contain(const FaultPlace& place, Work&& work) noexcept {
  return contain_faults(server_.faults, context_.counters.connection_faults, place,
                        std::forward<Work>(work));
}

// Mail that was not run stays in the mailbox.
void Reactor::run_mail() {
  static_cast<void>(contain({"mail of reactor", context_.reactor}, [&] { mailbox_->run(); }));
}

void Reactor::expire() {
  const std::int64_t now = clock_.unix_ms();
  if ((now == expired_at_ms_ && !expiry_left_) || server_.durability.loading()) return;
  expired_at_ms_ = now;
  expiry_left_ = true;
  static_cast<void>(contain({"expiry of reactor", context_.reactor}, [&] {
    expiry_left_ =
        server_.cache.collect_expired(context_.reactor, server_.options.threads, now, kExpiryBudget)
            .more;
  }));
}

// While the cache is restored nothing expires; Server wakes the reactors afterwards.
std::int64_t Reactor::next_expiry_ms(std::uint32_t reactor) const {
  if (server_.durability.loading()) return kNever;
  return server_.cache.next_expiry_ms(reactor, server_.options.threads);
}

// A deadline that was set during this turn may belong to a reactor that sleeps past it.
void Reactor::wake_late_peers() {
  for (const auto& peer : peers_) {
    if (peer.get() == this) continue;
    // A read-modify-write: a full barrier between this turn's writes and the look at the sleeper.
    const std::int64_t wakes_at = peer->wakes_at_ms_.fetch_add(0, std::memory_order_seq_cst);
    if (wakes_at == 0) continue;
    if (next_expiry_ms(peer->context_.reactor) < wakes_at) peer->mailbox_->wake();
  }
}

// Serves the connections that asked for attention, also those that ask meanwhile.
void Reactor::attend() {
  while (Connection* const connection = host_.attention.pop()) {
    const bool was_closed = connection->closed();
    connection->attend();
    if (!was_closed) follow_up(*connection);
  }
  if (server_.buffers.exceeded()) [[unlikely]]
    shed();
}

void Reactor::refresh_cpu_time() {
  if (clock_.unix_ms() - cpu_refreshed_ms_ < kCpuRefresh_ms) return;
  cpu_refreshed_ms_ = clock_.unix_ms();
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  context_.counters.cpu_ns.set(static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
                               static_cast<std::uint64_t>(time.tv_nsec));
  if (context_.reactor == 0) server_.sample_load(clock_.unix_ms());
}

// --- Connections ---------------------------------------------------------------------------------

void Reactor::hand_over(std::uint32_t reactor, AcceptedSocket accepted) {
  Reactor& target = *peers_[reactor];
  if (&target == this) return adopt(std::move(accepted));
  const std::uint64_t id = accepted.id;
  const bool posted = contain({"new connection", id}, [&] {
    target.mailbox_->post(
        [&target, accepted = std::move(accepted)]() mutable { target.adopt(std::move(accepted)); });
  });
  if (!posted) server_.connections.fetch_sub(1, std::memory_order_relaxed);
}

void Reactor::adopt(AcceptedSocket accepted) noexcept {
  const std::uint64_t id = accepted.id;
  const bool opened = contain({"new connection", id}, [&] { open(std::move(accepted)); });
  if (!opened) server_.connections.fetch_sub(1, std::memory_order_relaxed);
}

// Throws before the connection is in connections_, if at all.
void Reactor::open(AcceptedSocket accepted) {
  const std::size_t closed_max = closed_.size() + connections_.size() + 1;
  if (closed_.capacity() < closed_max) closed_.reserve(2 * closed_max);
  set_no_delay(accepted.socket.get());
  auto opened = std::make_unique<Connection>(accepted.id, std::move(accepted.socket),
                                             accepted.protocol, host_);
  opened->open(accepted.protocol == Protocol::kResp ? factories_.resp(context_, *opened)
                                                    : factories_.http(context_, *opened));
  opened->registration() = {.index = connections_.size(), .events = opened->wanted_events()};
  connections_.push_back(std::move(opened));
  Connection& connection = *connections_.back();
  context_.counters.connections_accepted.add(1);
  context_.counters.connections_open.add(1);
  if (!poller_.add(connection.fd(), connection.registration().events, &connection)) {
    connection.drop();
  } else if (drain_deadline_ms_ != 0) {
    connection.close();
  }
  follow_up(connection);
}

// After anything happened to the connection: lets it go, or watches what it waits for.
void Reactor::follow_up(Connection& connection) {
  if (connection.closed()) return remove(connection);
  deadlines_.note(connection);
  const std::uint32_t events = connection.wanted_events();
  if (events == connection.registration().events) return;
  connection.registration().events = events;
  poller_.change(connection.fd(), events, &connection);
}

void Reactor::remove(Connection& connection) {
  poller_.remove(connection.fd());
  context_.counters.connections_open.subtract(1);
  server_.connections.fetch_sub(1, std::memory_order_relaxed);
  const std::size_t index = connection.registration().index;
  closed_.push_back(std::move(connections_[index]));
  if (index + 1 != connections_.size()) {
    connections_[index] = std::move(connections_.back());
    connections_[index]->registration().index = index;
  }
  connections_.pop_back();
}

// The buffers of all connections have too much together: lets go of what is not used here, then has
// the largest connections closed, wherever they are.
void Reactor::shed() {
  for (const auto& connection : connections_) connection->trim();
  while (server_.buffers.exceeded()) {
    const auto largest = std::max_element(
        connections_.begin(), connections_.end(),
        [](const auto& a, const auto& b) { return a->buffer_bytes() < b->buffer_bytes(); });
    const bool none = largest == connections_.end();
    server_.buffers.set_largest(context_.reactor, none ? 0 : (*largest)->buffer_bytes());
    Reactor& target = *peers_[server_.buffers.reactor_of_largest()];
    if (&target != this) return ask_to_shed(target);
    if (none) return;
    Connection& closed = **largest;
    closed.shed();
    remove(closed);
  }
}

void Reactor::ask_to_shed(Reactor& target) {
  static_cast<void>(contain({"a request of reactor", context_.reactor},
                            [&] { target.mailbox_->post([&target] { target.shed(); }); }));
}

// --- The end -------------------------------------------------------------------------------------

// Stops accepting, answers what the kernel had received, and lets every connection end.
void Reactor::begin_drain() {
  if (drain_deadline_ms_ != 0) return;
  drain_deadline_ms_ = clock_.unix_ms() + server_.options.drain_timeout_ms;
  acceptor_.close();
  run_mail();  // connections that were handed over
  for (std::size_t i = connections_.size(); i-- > 0;) {
    Connection& connection = *connections_[i];
    connection.drain();
    follow_up(connection);
  }
}

bool Reactor::finished() const {
  if (drain_deadline_ms_ == 0) return false;
  return connections_.empty() || clock_.unix_ms() >= drain_deadline_ms_;
}

}  // namespace vigil::server
