// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/reactor.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "vigil/base/check.h"

namespace vigil::server {

namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kTailCopied = 16 * 1024;  // larger tails are read behind, not copied
constexpr std::size_t kOutputKept = 64 * 1024;  // capacity that survives a large reply
constexpr int kAcceptsPerTurn = 64;
constexpr std::int64_t kSweepIntervalMs = 50;  // at least, between two looks for time-outs
constexpr std::int64_t kLingerMs = 1000;
constexpr std::size_t kLingerBytes = std::size_t{4} << 20;
constexpr int kDrainReads = 16;  // per connection: what the kernel had received by then

thread_local ReactorCounters* this_thread_counters = nullptr;

std::string_view refusal(Protocol protocol) {
  return protocol == Protocol::kResp
             ? "-ERR max number of clients reached\r\n"
             : "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
               "Content-Length: 0\r\n\r\n";
}

void refuse(const FileDescriptor& socket, Protocol protocol) {
  const std::string_view text = refusal(protocol);
  [[maybe_unused]] const ssize_t sent =
      ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

Reactor::Reactor(ServerState& server, std::uint32_t index, const SessionFactories& factories)
    : server_(server),
      factories_(factories),
      context_{server, index, clock_, *server.counters[index]},
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      spare_(::open("/dev/null", O_RDONLY | O_CLOEXEC)),
      read_buffer_(std::make_unique<char[]>(kTailCopied + kReadBytes + kInputPadding)),
      next_sweep_ms_(kNever) {
  VIGIL_CHECK(epoll_.valid(), "the system has no epoll instance left for a reactor");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &mailbox_;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, mailbox_.event_fd(), &event);
}

Reactor::~Reactor() = default;

ReactorCounters* Reactor::current_counters() { return this_thread_counters; }

void Reactor::add_listener(FileDescriptor socket, Protocol protocol) {
  listeners_.push_back(std::make_unique<Listener>(Listener{std::move(socket), protocol}));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = listeners_.back().get();
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listeners_.back()->socket.get(), &event);
}

// --- The loop ------------------------------------------------------------------------------------

void Reactor::run() {
  this_thread_counters = &context_.counters;
  std::array<epoll_event, 256> events{};
  std::int64_t woke_ns = monotonic_ns();
  while (!finished()) {
    const int timeout = prepare_wait();
    context_.counters.busy_ns.add(static_cast<std::uint64_t>(monotonic_ns() - woke_ns));
    const int ready =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout);
    woke_ns = monotonic_ns();
    mailbox_.end_sleep();
    wakes_at_ms_.store(0, std::memory_order_relaxed);
    clock_.tick();
    context_.counters.turns.add(1);
    for (int i = 0; i < ready; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      handle(event.data.ptr, event.events);
    }
    if (server_.draining.load(std::memory_order_acquire)) begin_drain();
    expire();
    run_mail();
    attend();
    if (clock_.unix_ms() >= next_sweep_ms_) sweep();
    bury();
    wake_late_peers();
    refresh_cpu_time();
  }
  while (!connections_.empty()) close(*connections_.back());
  bury();
  this_thread_counters = nullptr;
}

// Decides how long to sleep, announcing it to senders of mail and setters of deadlines.
int Reactor::prepare_wait() {
  if (expiry_left_ || !mailbox_.prepare_sleep()) return 0;
  wakes_at_ms_.store(kNever, std::memory_order_seq_cst);
  std::int64_t next = server_.cache.next_expiry_ms(context_.reactor, server_.options.threads);
  next = std::min(next, next_sweep_ms_);
  if (drain_deadline_ms_ != 0) next = std::min(next, drain_deadline_ms_);
  wakes_at_ms_.store(next, std::memory_order_seq_cst);
  if (next == kNever) return -1;
  constexpr std::int64_t kLongestMs = 60'000;
  return static_cast<int>(std::clamp<std::int64_t>(next - unix_ms(), 1, kLongestMs));
}

void Reactor::handle(void* source, std::uint32_t events) {
  if (source == &mailbox_) {
    context_.counters.wakeups.add(1);
    mailbox_.clear_event();
    return;
  }
  for (const auto& listener : listeners_) {
    if (source == listener.get()) return accept_from(*listener);
  }
  auto& connection = *static_cast<Connection*>(source);
  if (!connection.closed) at_edge_of(connection, [&] { serve(connection, events); });
}

// Mail that was not run stays in the mailbox.
void Reactor::run_mail() {
  static_cast<void>(contain({"mail of reactor", context_.reactor}, [&] { mailbox_.run(); }));
}

void Reactor::expire() {
  const std::int64_t now = clock_.unix_ms();
  if (now == expired_at_ms_ && !expiry_left_) return;
  expired_at_ms_ = now;
  expiry_left_ = true;
  static_cast<void>(contain({"expiry of reactor", context_.reactor}, [&] {
    expiry_left_ =
        server_.cache.collect_expired(context_.reactor, server_.options.threads, now, kExpiryBudget)
            .more;
  }));
}

// A deadline that was set during this turn may belong to a reactor that sleeps past it.
void Reactor::wake_late_peers() {
  for (const auto& peer : peers_) {
    if (peer.get() == this) continue;
    // A read-modify-write: a full barrier between this turn's writes and the look at the sleeper.
    const std::int64_t wakes_at = peer->wakes_at_ms_.fetch_add(0, std::memory_order_seq_cst);
    if (wakes_at == 0) continue;
    const std::int64_t due =
        server_.cache.next_expiry_ms(peer->context_.reactor, server_.options.threads);
    if (due < wakes_at) peer->mailbox_.wake();
  }
}

void Reactor::attend() {
  for (std::size_t i = 0; i < attention_.size(); ++i) {
    Connection& connection = *attention_[i];
    connection.attention_requested = false;
    if (connection.closed) continue;
    if (connection.killed) {
      close(connection);
      continue;
    }
    at_edge_of(connection, [&] {
      flush(connection, connection.output());
      resume(connection);
      settle(connection);
    });
  }
  attention_.clear();
}

void Reactor::bury() { graveyard_.clear(); }

void Reactor::refresh_cpu_time() {
  constexpr std::int64_t kRefreshMs = 1000;
  if (clock_.unix_ms() - cpu_refreshed_ms_ < kRefreshMs) return;
  cpu_refreshed_ms_ = clock_.unix_ms();
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  context_.counters.cpu_ns.set(static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
                               static_cast<std::uint64_t>(time.tv_nsec));
}

// --- Accepting -----------------------------------------------------------------------------------

void Reactor::accept_from(Listener& listener) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    FileDescriptor socket(
        ::accept4(listener.socket.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.valid()) {
      hand_out(std::move(socket), listener.protocol);
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno != EMFILE && errno != ENFILE) return;
    // Out of files: take the connection with the spare one, so that it does not stay ready.
    spare_.reset();
    socket = FileDescriptor(::accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (socket.valid()) refuse(socket, listener.protocol);
    socket.reset();
    spare_ = FileDescriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    context_.counters.connections_refused.add(1);
  }
}

void Reactor::hand_out(FileDescriptor socket, Protocol protocol) {
  if (server_.connections.fetch_add(1, std::memory_order_relaxed) >=
      server_.options.connections_max) {
    server_.connections.fetch_sub(1, std::memory_order_relaxed);
    context_.counters.connections_refused.add(1);
    return refuse(socket, protocol);
  }
  const std::uint64_t id = ++accepted_;
  Reactor& target = *peers_[id % peers_.size()];
  if (&target == this) return adopt(std::move(socket), protocol, id);
  const bool posted = contain({"new connection", id}, [&] {
    target.mailbox_.post([&target, socket = std::move(socket), protocol, id]() mutable {
      target.adopt(std::move(socket), protocol, id);
    });
  });
  if (!posted) server_.connections.fetch_sub(1, std::memory_order_relaxed);
}

void Reactor::adopt(FileDescriptor socket, Protocol protocol, std::uint64_t id) noexcept {
  const bool opened =
      contain({"new connection", id}, [&] { open(std::move(socket), protocol, id); });
  if (!opened) server_.connections.fetch_sub(1, std::memory_order_relaxed);
}

void Reactor::open(FileDescriptor socket, Protocol protocol, std::uint64_t id) {
  const std::size_t closed_max = graveyard_.size() + connections_.size() + 1;
  if (graveyard_.capacity() < closed_max) graveyard_.reserve(2 * closed_max);
  set_no_delay(socket.get());
  auto opened =
      std::make_unique<Connection>(id, std::move(socket), protocol, clock_.unix_ms(), attention_);
  opened->session = protocol == Protocol::kResp ? factories_.resp(context_, *opened)
                                                : factories_.http(context_, *opened);
  opened->index = connections_.size();
  opened->events = EPOLLIN;
  connections_.push_back(std::move(opened));
  Connection& connection = *connections_.back();
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &connection;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.fd(), &event);
  context_.counters.connections_accepted.add(1);
  context_.counters.connections_open.add(1);
  note_deadline(connection);
  if (drain_deadline_ms_ != 0) close(connection);
}

// --- One connection ------------------------------------------------------------------------------

template <class Work>
bool Reactor::contain(const FaultPlace& place, Work&& work) noexcept {
  return contain_faults(server_.faults, context_.counters.connection_faults, place,
                        std::forward<Work>(work));
}

template <class Work>
void Reactor::at_edge_of(Connection& connection, Work&& work) {
  if (contain(connection.fault_place(), std::forward<Work>(work))) return;
  scratch_.truncate(0);
  close(connection);
}

// As the session's consume(); a fault is answered, if the session can still do that.
Consumed Reactor::consume(Connection& connection, std::string_view input, Output& output) {
  Consumed consumed{input.size(), true};
  const bool done = contain(connection.fault_place(),
                            [&] { consumed = connection.session->consume(input, output); });
  if (!done) connection.session->answer_fault(output);
  return consumed;
}

void Reactor::serve(Connection& connection, std::uint32_t events) {
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) return close(connection);
  if ((events & EPOLLOUT) != 0) {
    flush(connection, connection.output());
    // The time during which the peer was not read from does not count against its request.
    if (connection.request_ms != 0 && !connection.lingering) {
      connection.request_ms = clock_.unix_ms();
    }
    if (may_read(connection)) process_waiting(connection);
  }
  if ((events & EPOLLIN) != 0 && !connection.closed) {
    connection.lingering ? discard(connection) : receive(connection);
  }
  if (!connection.closed) settle(connection);
}

bool Reactor::may_read(const Connection& connection) const {
  return !connection.closed && !connection.closing &&
         const_cast<Connection&>(connection).output().size() <=
             server_.options.output_high_water_bytes;
}

// Reads once, behind the tail of the last read, into the buffer that all connections share.
void Reactor::receive(Connection& connection) {
  if (!may_read(connection) || connection.peer_done) return;
  const std::size_t tail = connection.input.size();
  if (tail > kTailCopied) return receive_large(connection);
  const ssize_t size = ::recv(connection.fd(), read_buffer_.get() + tail, kReadBytes, 0);
  if (size <= 0) return received(connection, size == 0 ? 0 : static_cast<std::size_t>(-1));
  if (tail != 0) std::memcpy(read_buffer_.get(), connection.input.view().data(), tail);
  connection.input.consume(tail);
  received(connection, static_cast<std::size_t>(size));
  const std::string_view input(read_buffer_.get(), tail + static_cast<std::size_t>(size));
  const std::size_t used = process(connection, input);
  if (connection.closed || used == input.size()) return;
  static_cast<void>(connection.input.reserve(input.size() - used + kInputPadding));
  connection.input.append(input.substr(used));
}

// The open request is large: read behind it in the connection's own buffer.
void Reactor::receive_large(Connection& connection) {
  char* const space = connection.input.reserve(kReadBytes + kInputPadding);
  const ssize_t size = ::recv(connection.fd(), space, kReadBytes, 0);
  if (size <= 0) return received(connection, size == 0 ? 0 : static_cast<std::size_t>(-1));
  connection.input.commit(space + size);
  received(connection, static_cast<std::size_t>(size));
  process_waiting(connection);
  if (connection.closed) return;
  if (may_read(connection) &&
      connection.input.size() > server_.options.request_bytes_max + kReadBytes) {
    drop(connection);
  }
}

// Books a recv() that returned `bytes`: 0 is the end of the stream, -1 an error.
void Reactor::received(Connection& connection, std::size_t bytes) {
  if (bytes == static_cast<std::size_t>(-1)) {
    if (errno != EAGAIN && errno != EINTR) close(connection);
    return;
  }
  if (bytes == 0) {
    connection.peer_done = true;
    return;
  }
  connection.active_ms = clock_.unix_ms();
  context_.counters.bytes_in.add(bytes);
}

// Lets the session work through `input`, sending after each of its batches; returns the bytes used.
std::size_t Reactor::process(Connection& connection, std::string_view input) {
  std::size_t used = 0;
  while (used < input.size() && may_read(connection)) {
    const bool pending = !connection.output().empty();
    Output& output = pending ? connection.output() : scratch_;
    const Consumed consumed = consume(connection, input.substr(used), output);
    used += consumed.bytes;
    connection.closing |= consumed.close;
    flush(connection, output);
    if (consumed.bytes == 0) break;
  }
  if (connection.closed) return used;
  connection.input_blocked = used < input.size() && !connection.closing && !may_read(connection);
  const bool open = !connection.closing && connection.session->mid_request();
  if (!open) {
    connection.request_ms = 0;
  } else if (connection.request_ms == 0 || used != 0) {
    connection.request_ms = clock_.unix_ms();
    note_deadline(connection);
  }
  return used;
}

// Goes on with input that had to wait until the peer read its replies.
void Reactor::resume(Connection& connection) {
  if (connection.input_blocked && may_read(connection)) process_waiting(connection);
}

// Works through input that waits in the connection's own buffer.
void Reactor::process_waiting(Connection& connection) {
  if (connection.input.empty()) return;
  static_cast<void>(connection.input.reserve(kInputPadding));
  const std::size_t used = process(connection, connection.input.view());
  if (connection.closed) return;
  connection.input.consume(used);
  if (connection.input.empty() && connection.input.capacity() > kOutputKept) {
    connection.input.release();
  }
}

// Sends as much of `output` as the socket takes; what is left stays in the connection's output.
void Reactor::flush(Connection& connection, Output& output) {
  const std::size_t before = output.size();
  while (!output.empty()) {
    const std::string_view bytes = output.view();
    const ssize_t size = ::send(connection.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) break;
      scratch_.truncate(0);
      return close(connection);
    }
    output.consume(static_cast<std::size_t>(size));
  }
  const std::size_t sent = before - output.size();
  context_.counters.bytes_out.add(sent);
  if (output.empty()) {
    connection.stalled_ms = 0;
  } else if (sent != 0 || connection.stalled_ms == 0) {
    connection.stalled_ms = clock_.unix_ms();
    note_deadline(connection);
  }
  if (&output == &scratch_ && !output.empty()) {
    connection.output().append(output.view());
    output.truncate(0);
  }
  if (output.empty() && output.capacity() > kOutputKept) {
    if (&output != &scratch_ || output.capacity() > 64 * kOutputKept) output.release();
  }
}

// After anything happened to the connection: close it, drop it, or watch what it waits for.
void Reactor::settle(Connection& connection) {
  if (connection.closed) return;
  const std::size_t pending = connection.output().size();
  const std::size_t limit = connection.subscriber ? server_.options.pubsub_output_limit_bytes
                                                  : server_.options.output_limit_bytes;
  if (pending > limit) return drop(connection);
  const bool last_input = connection.peer_done || connection.draining;
  if (last_input && !connection.input_blocked) connection.closing = true;
  if (connection.closing && pending == 0 && !connection.lingering) {
    if (connection.peer_done) return close(connection);
    linger(connection);
  }
  watch(connection);
}

// Shuts our side and reads on for a while: closing with unread input would reset the connection
// and could take the last reply from the peer.
void Reactor::linger(Connection& connection) {
  connection.lingering = true;
  connection.input.release();
  connection.request_ms = clock_.unix_ms();
  ::shutdown(connection.fd(), SHUT_WR);
  note_deadline(connection);
}

void Reactor::discard(Connection& connection) {
  const ssize_t size = ::recv(connection.fd(), read_buffer_.get(), kReadBytes, 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) return close(connection);
  connection.discarded += static_cast<std::size_t>(size);
  if (connection.discarded > kLingerBytes) close(connection);
}

void Reactor::watch(Connection& connection) {
  std::uint32_t events = 0;
  const bool wants_input = may_read(connection) && !connection.peer_done && !connection.draining;
  if (connection.lingering || wants_input) events |= EPOLLIN;
  if (!connection.output().empty()) events |= EPOLLOUT;
  if (events == connection.events) return;
  connection.events = events;
  epoll_event event{};
  event.events = events;
  event.data.ptr = &connection;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection.fd(), &event);
}

// Cuts off a client that broke a limit.
void Reactor::drop(Connection& connection) {
  if (connection.closed) return;
  context_.counters.connections_dropped.add(1);
  close(connection);
}

void Reactor::close(Connection& connection) {
  if (connection.closed) return;
  connection.closed = true;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, connection.fd(), nullptr);
  ::shutdown(connection.fd(), SHUT_RDWR);
  connection.session.reset();
  context_.counters.connections_open.subtract(1);
  server_.connections.fetch_sub(1, std::memory_order_relaxed);
  const std::size_t index = connection.index;
  graveyard_.push_back(std::move(connections_[index]));
  if (index + 1 != connections_.size()) {
    connections_[index] = std::move(connections_.back());
    connections_[index]->index = index;
  }
  connections_.pop_back();
}

// --- Time-outs and the end -----------------------------------------------------------------------

std::int64_t Reactor::deadline_of(const Connection& connection) const {
  const ServerOptions& options = server_.options;
  std::int64_t deadline = kNever;
  const auto consider = [&](std::int64_t since, std::int64_t timeout) {
    if (since != 0 && timeout != 0) deadline = std::min(deadline, since + timeout);
  };
  consider(connection.stalled_ms, options.slow_client_timeout_ms);
  if (connection.lingering) {
    consider(connection.request_ms, kLingerMs);
  } else if (connection.request_ms != 0 && !may_read(connection)) {
    return deadline;  // waits for us
  } else if (connection.request_ms != 0) {
    consider(connection.request_ms, options.request_timeout_ms);
  } else if (!connection.subscriber) {
    consider(connection.active_ms, connection.protocol() == Protocol::kResp
                                       ? options.idle_timeout_ms
                                       : options.http_idle_timeout_ms);
  }
  return deadline;
}

void Reactor::note_deadline(const Connection& connection) {
  next_sweep_ms_ = std::min(next_sweep_ms_, deadline_of(connection));
}

void Reactor::sweep() {
  const std::int64_t now = clock_.unix_ms();
  std::int64_t next = kNever;
  for (std::size_t i = connections_.size(); i-- > 0;) {
    Connection& connection = *connections_[i];
    const std::int64_t deadline = deadline_of(connection);
    if (deadline > now) {
      next = std::min(next, deadline);
    } else if (connection.lingering) {
      close(connection);
    } else {
      drop(connection);
    }
  }
  next_sweep_ms_ = next == kNever ? kNever : std::max(next, now + kSweepIntervalMs);
}

// Stops accepting, answers what the kernel had received, and lets every connection end.
void Reactor::begin_drain() {
  if (drain_deadline_ms_ != 0) return;
  drain_deadline_ms_ = clock_.unix_ms() + server_.options.drain_timeout_ms;
  for (const auto& listener : listeners_) listener->socket.reset();
  run_mail();  // connections that were handed over
  for (std::size_t i = connections_.size(); i-- > 0;) {
    Connection& connection = *connections_[i];
    at_edge_of(connection, [&] { drain(connection); });
  }
}

void Reactor::drain(Connection& connection) {
  for (int reads = 0; reads < kDrainReads && !connection.closed; ++reads) {
    const std::uint64_t before = context_.counters.bytes_in.value();
    if (!connection.lingering) receive(connection);
    if (context_.counters.bytes_in.value() == before) break;
  }
  if (connection.closed) return;
  connection.draining = true;
  settle(connection);
}

bool Reactor::finished() const {
  if (drain_deadline_ms_ == 0) return false;
  return connections_.empty() || clock_.unix_ms() >= drain_deadline_ms_;
}

}  // namespace vigil::server
