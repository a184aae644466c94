// SPDX-License-Identifier: Apache-2.0
//
// Reactor: one thread with its epoll set, its connections and its part of the shards' expiry.
//
// A turn of the loop: wait for sockets, the mailbox or the next deadline; serve each ready
// connection once (one read, all whole requests, one write); collect expired entries up to a
// budget; run the mailbox; ask the log to commit all that the turn wrote; let replies leave whose
// writes were committed; send what pub/sub and deferred replies left in outputs; look for
// time-outs. It never spins: the time-out of the wait is
// the next deadline, and is zero only while expired entries, mail or commits are left over.
//
// Any command runs on any reactor. Expiry of shard s belongs to reactor s % reactors; after a turn
// a reactor wakes those that sleep past a deadline which was set meanwhile (wakes_at_ms_: the
// sleeper announces "for ever", then computes its deadline; the waker writes, then looks).
//
// Faults: what is thrown while a connection is served, opened or expired, or by a task in the mail,
// is contained where it happens (fault.h) and ends at most that connection.
//
// What a connection does with its bytes is in connection.h, time-outs in deadlines.h, listening in
// acceptor.h, replies that wait for the disk in commit_gate.h.
//
// Invariants:
//   1. connections_[i]->registration().index == i for every open connection.
//   2. A connection with bytes that may leave is watched for EPOLLOUT, or has requested attention.
//   3. A closed connection is destroyed at the end of the turn, not earlier.
//   4. closed_ has room for every open connection: removing one allocates nothing.
//
// Thread safety: run() is the reactor's thread; mailbox().post(), mailbox().wake() and the
// committer's half of commit_gate() may be used from any thread; everything else before the thread
// starts.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "vigil/base/clock.h"
#include "vigil/server/reactor/acceptor.h"
#include "vigil/server/reactor/connection.h"
#include "vigil/server/reactor/deadlines.h"
#include "vigil/server/reactor/fault.h"
#include "vigil/server/reactor/mailbox.h"
#include "vigil/server/reactor/poller.h"
#include "vigil/server/reactor/server_state.h"
#include "vigil/server/transport/socket.h"

namespace vigil::server {

struct SessionFactories {
  SessionFactory resp;
  SessionFactory http;
};

class Reactor {
 public:
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

  [[nodiscard]] Mailbox& mailbox() { return *mailbox_; }
  [[nodiscard]] CommitGate& commit_gate() { return host_.commit_gate; }
  [[nodiscard]] ReactorContext& context() { return context_; }

  // The counters of the reactor that runs on this thread, nullptr on any other thread.
  [[nodiscard]] static ReactorCounters* current_counters();

 private:
  // The loop.
  int prepare_wait();
  std::int64_t end_wait();
  void follow_wall_clock(std::int64_t woke_ns);
  void handle(void* source, std::uint32_t events);
  void run_mail();
  void expire();
  [[nodiscard]] std::int64_t next_expiry_ms(std::uint32_t reactor) const;
  void wake_late_peers();
  void attend();
  void refresh_cpu_time();

  // Connections.
  void hand_over(std::uint32_t reactor, AcceptedSocket accepted);
  void adopt(AcceptedSocket accepted) noexcept;
  void open(AcceptedSocket accepted);
  void follow_up(Connection& connection);
  void remove(Connection& connection);
  void shed();
  void ask_to_shed(Reactor& target);

  template <class Work>
  bool contain(const FaultPlace& place, Work&& work) noexcept;

  // The end.
  void begin_drain();
  [[nodiscard]] bool finished() const;

  ServerState& server_;
  const SessionFactories& factories_;
  CoarseClock clock_;
  ReactorContext context_;
  std::span<const std::unique_ptr<Reactor>> peers_;
  const std::shared_ptr<Mailbox> mailbox_;  // shared with reply tickets, which may outlive us
  Poller poller_;
  Acceptor acceptor_;
  ConnectionHost host_;
  Deadlines deadlines_;

  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Connection>> closed_;  // until the end of the turn

  std::atomic<std::int64_t> wakes_at_ms_{0};  // 0: awake
  std::int64_t follow_ns_ = 0;                // when to look at the wall clock next
  std::int64_t expired_at_ms_ = 0;
  bool expiry_left_ = false;
  std::int64_t drain_deadline_ms_ = 0;  // 0: not draining
  std::int64_t cpu_refreshed_ms_ = 0;
};

}  // namespace vigil::server
