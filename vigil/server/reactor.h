// SPDX-License-Identifier: Apache-2.0
//
// Reactor: one thread with its epoll set, its connections and its part of the shards' expiry.
//
// A turn of the loop: wait for sockets, the mailbox or the next deadline; serve each readable
// connection once (one read, all whole requests, one write); run the mailbox; collect expired
// entries up to a budget; send what pub/sub left in outputs; now and then look for time-outs. It
// never spins: the time-out of the wait is the next deadline, and is zero only while expired
// entries or mail are left over.
//
// Any command runs on any reactor. Expiry of shard s belongs to reactor s % reactors; after a turn
// a reactor wakes those that sleep past a deadline which was set meanwhile (wakes_at_ms_: the
// sleeper announces "for ever", then computes its deadline; the waker writes, then looks).
//
// Back-pressure: a connection whose unsent output exceeds options.output_high_water_bytes is not
// read from until it drained; over its hard limit, or without progress for
// options.slow_client_timeout_ms, it is dropped.
//
// Faults: everything done for a connection is done at_edge_of() it, where whatever is thrown ends
// this connection and nothing else (fault.h).
//
// Invariants:
//   1. connections_[c->index] == c for every open connection.
//   2. A connection with unsent output is watched for EPOLLOUT, or has requested attention.
//   3. A closed connection is destroyed at the end of the turn, not earlier.
//   4. graveyard_ has room for every open connection: closing one allocates nothing.
//
// Thread safety: run() is the reactor's thread; mailbox().post() and mailbox().wake() may be called
// from any thread; everything else before the thread starts.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "vigil/base/clock.h"
#include "vigil/server/connection.h"
#include "vigil/server/context.h"
#include "vigil/server/mailbox.h"
#include "vigil/server/socket.h"

namespace vigil::server {

struct SessionFactories {
  SessionFactory resp;
  SessionFactory http;
};

class Reactor {
 public:
  static constexpr std::size_t kReadBytes = 256 * 1024;
  static constexpr std::size_t kInputPadding = 64;  // readable behind a session's input
  static constexpr std::size_t kExpiryBudget = 2000;

  Reactor(ServerState& server, std::uint32_t index, const SessionFactories& factories);
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  // All reactors of the server, this one included, in the order of their indices.
  void set_peers(std::span<const std::unique_ptr<Reactor>> peers) { peers_ = peers; }
  // Accepts on `socket`, handing the connections out to all reactors in turn.
  void add_listener(FileDescriptor socket, Protocol protocol);

  // Runs until ServerState::draining is set and the connections are drained.
  void run();

  [[nodiscard]] Mailbox& mailbox() { return mailbox_; }
  [[nodiscard]] ReactorContext& context() { return context_; }

  // The counters of the reactor that runs on this thread, nullptr on any other thread.
  [[nodiscard]] static ReactorCounters* current_counters();

 private:
  struct Listener {
    FileDescriptor socket;
    Protocol protocol = Protocol::kResp;
  };

  // The loop.
  int prepare_wait();
  void handle(void* source, std::uint32_t events);
  void run_mail();
  void expire();
  void wake_late_peers();
  void attend();
  void bury();
  void refresh_cpu_time();

  // Accepting.
  void accept_from(Listener& listener);
  void hand_out(FileDescriptor socket, Protocol protocol);
  void adopt(FileDescriptor socket, Protocol protocol, std::uint64_t id) noexcept;
  void open(FileDescriptor socket, Protocol protocol, std::uint64_t id);

  // One connection.
  template <class Work>
  bool contain(const FaultPlace& place, Work&& work) noexcept;
  template <class Work>
  void at_edge_of(Connection& connection, Work&& work);
  Consumed consume(Connection& connection, std::string_view input, Output& output);
  void serve(Connection& connection, std::uint32_t events);
  void receive(Connection& connection);
  void receive_large(Connection& connection);
  void received(Connection& connection, std::size_t bytes);
  std::size_t process(Connection& connection, std::string_view input);
  void resume(Connection& connection);
  void process_waiting(Connection& connection);
  void flush(Connection& connection, Output& output);
  void settle(Connection& connection);
  void linger(Connection& connection);
  void discard(Connection& connection);
  void watch(Connection& connection);
  void drop(Connection& connection);
  void close(Connection& connection);
  [[nodiscard]] bool may_read(const Connection& connection) const;

  // Time-outs and the end.
  [[nodiscard]] std::int64_t deadline_of(const Connection& connection) const;
  void note_deadline(const Connection& connection);
  void sweep();
  void begin_drain();
  void drain(Connection& connection);
  [[nodiscard]] bool finished() const;

  ServerState& server_;
  const SessionFactories& factories_;
  CoarseClock clock_;
  ReactorContext context_;
  std::span<const std::unique_ptr<Reactor>> peers_;
  FileDescriptor epoll_;
  FileDescriptor spare_;  // given up for a moment to refuse a connection when files run out
  Mailbox mailbox_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::uint64_t accepted_ = 0;

  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Connection>> graveyard_;
  std::vector<Connection*> attention_;
  std::unique_ptr<char[]> read_buffer_;
  Output scratch_;  // replies of the connection being served, if nothing of it is pending

  std::atomic<std::int64_t> wakes_at_ms_{0};  // 0: awake
  std::int64_t expired_at_ms_ = 0;
  bool expiry_left_ = false;
  std::int64_t next_sweep_ms_;
  std::int64_t drain_deadline_ms_ = 0;  // 0: not draining
  std::int64_t cpu_refreshed_ms_ = 0;
};

}  // namespace vigil::server
