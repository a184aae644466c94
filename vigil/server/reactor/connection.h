// SPDX-License-Identifier: Apache-2.0
//
// Connection: one client, from accept() to close: its socket, its session, its input and its
// replies. Moves bytes from the socket through the session and back, and says what it waits for.
//
// Phases; every other transition is a programmer's error and aborts:
//
//   from         does                        to           when
//   kOpen        receives and answers        kDraining    the peer's last byte; the server stops
//                                            kClosing     the session ends it; replies are lost
//   kDraining    answers what it received    kClosing     nothing is left to answer; as above
//   kClosing     sends the last replies      kLingering   they are sent
//                                            kClosed      they are sent, the peer had finished
//   kLingering   discards input, its own     kClosed      the peer closes; time is up
//                side being shut
//   each         -                           kClosed      a broken socket, limit, time-out or kill
//
// Replies: a session appends to the output that it is given. What a batch of requests wrote has to
// be in the log before its replies leave (commit_gate.h, durability.h), and a single reply may come
// later from another thread (defer_reply()); the replies behind either wait, so that the order of
// the requests is kept. Sessions may append to output() outside of consume() as well (a pub/sub
// message) and then call request_attention(), so that it is sent before the reactor sleeps.
//
// Back-pressure: no request is taken while more than options.output_high_water_bytes of replies or
// kHoldsMax holds are kept, nor while replies are held and the log is behind: who wrote waits until
// that is stored before the next write, others go on.
//
// Faults: serve(), attend() and drain() are the edge of a connection (fault.h): what is thrown
// behind it ends this connection and nothing else. What consume() throws is answered, if the
// session can.
//
// Thread safety: belongs to one reactor. Re-entrancy: a session may call any member of the section
// "For sessions" from within its own; none of them destroys the session.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "vigil/base/clock.h"
#include "vigil/server/config/options.h"
#include "vigil/server/durability/durability.h"
#include "vigil/server/reactor/buffer_budget.h"
#include "vigil/server/reactor/commit_gate.h"
#include "vigil/server/reactor/counters.h"
#include "vigil/server/reactor/deferred_replies.h"
#include "vigil/server/reactor/fault.h"
#include "vigil/server/reactor/output.h"
#include "vigil/server/reactor/reply_queue.h"
#include "vigil/server/reactor/session.h"
#include "vigil/server/transport/socket.h"

namespace vigil::server {

class Connection;

// Connections that asked for attention, in order; each is in it once at most. They are linked to
// each other: asking needs no memory, because it is how a connection that got none is ended.
class AttentionQueue {
 public:
  inline void push(Connection& connection) noexcept;
  // Takes the first one out; nullptr: there is none.
  inline Connection* pop() noexcept;

 private:
  Connection* first_ = nullptr;
  Connection* last_ = nullptr;
};

// What the connections of one reactor share.
class ConnectionHost {
 public:
  static constexpr std::size_t kReadBytes = 256 * 1024;
  static constexpr std::size_t kInputPadding = 64;       // readable behind a session's input
  static constexpr std::size_t kTailCopied = 16 * 1024;  // larger tails are read behind, not copied

  ConnectionHost(const ServerOptions& server_options, const Durability& server_durability,
                 FaultLog& fault_log, BufferBudget& buffer_budget, std::uint32_t reactor_index,
                 const CoarseClock& coarse_clock, ReactorCounters& reactor_counters,
                 const std::shared_ptr<Mailbox>& mailbox)
      : options(server_options),
        durability(server_durability),
        faults(fault_log),
        buffers(buffer_budget),
        reactor(reactor_index),
        clock(coarse_clock),
        counters(reactor_counters),
        commit_gate(*mailbox),
        deferred_replies(mailbox),
        read_buffer(std::make_unique<char[]>(kTailCopied + kReadBytes + kInputPadding)) {
    batch.set_size_max(output_bytes_max());
  }

  // What one request may answer before the connection is cut off for it, at the latest.
  [[nodiscard]] std::size_t output_bytes_max() const {
    return 2 * std::max(options.output_limit_bytes, options.pubsub_output_limit_bytes);
  }

  const ServerOptions& options;
  const Durability& durability;
  FaultLog& faults;
  BufferBudget& buffers;
  const std::uint32_t reactor;
  const CoarseClock& clock;
  ReactorCounters& counters;
  CommitGate commit_gate;
  DeferredReplies deferred_replies;
  AttentionQueue attention;
  std::unique_ptr<char[]> read_buffer;
  Output batch;  // replies of the connection being served, if nothing is in front of them
};

class Connection {
 public:
  enum class Phase : std::uint8_t { kOpen, kDraining, kClosing, kLingering, kClosed };
  static constexpr std::size_t kHoldsMax = 1024;

  // Since when the connection waits for its peer, Unix milliseconds; 0: it does not.
  struct Timers {
    std::int64_t active_ms;         // the last byte was received
    std::int64_t request_ms = 0;    // an unfinished request began
    std::int64_t stalled_ms = 0;    // replies that may leave made no progress
    std::int64_t lingering_ms = 0;  // the phase kLingering began
  };
  // Where the reactor keeps the connection, and what it watches; for the reactor only.
  struct Registration {
    std::size_t index = 0;
    std::uint32_t events = 0;
  };

  Connection(std::uint64_t id, FileDescriptor fd, Protocol protocol, ConnectionHost& host);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // --- For sessions ----------------------------------------------------------------------------

  [[nodiscard]] std::uint64_t id() const { return fault_place_.number; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] Protocol protocol() const { return protocol_; }
  [[nodiscard]] std::int64_t created_ms() const { return created_ms_; }
  [[nodiscard]] Output& output() { return replies_.tail(); }
  [[nodiscard]] const FaultPlace& fault_place() const { return fault_place_; }
  // Of the replies, as of the last time that the socket did not take them all. By any thread.
  [[nodiscard]] std::size_t unsent_bytes() const {
    return unsent_bytes_.load(std::memory_order_relaxed);
  }

  void request_attention() noexcept;
  // Closes without sending what is pending.
  void request_kill() noexcept;
  // A subscriber's output has a limit of its own: it receives without asking.
  void set_subscriber(bool subscriber) { subscriber_ = subscriber; }

  // Whether there is room for another deferred reply. If not, the session leaves the request in the
  // input: it is offered again when there is.
  [[nodiscard]] bool may_defer_reply() const { return replies_.hold_count() < kHoldsMax; }
  // Leaves a place for one reply at the end of `output`, which is the output of the running
  // consume(), or output() outside of it. REQUIRES: may_defer_reply().
  [[nodiscard]] ReplyTicket defer_reply(const Output& output);

  // --- For the reactor -------------------------------------------------------------------------

  // REQUIRES: called once, before anything of the following.
  void open(std::unique_ptr<Session> session) { session_ = std::move(session); }

  // The socket is ready as epoll says.
  void serve(std::uint32_t events) noexcept;
  // The connection requested attention.
  void attend() noexcept;
  // The server stops: what the kernel has received by now is the last input.
  void drain() noexcept;
  // Cuts off a client that broke a limit.
  void drop();
  void close();
  // What its buffers have, as it was booked last.
  [[nodiscard]] std::uint64_t buffer_bytes() const { return buffer_bytes_; }
  // Lets go of buffers that hold nothing.
  void trim();
  // Closes for what it holds, to make room for others.
  void shed();
  // A deadline of the peer has passed.
  void time_out() { phase_ == Phase::kLingering ? close() : drop(); }

  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] bool closed() const { return phase_ == Phase::kClosed; }
  // What to watch the socket for.
  [[nodiscard]] std::uint32_t wanted_events() const;
  // Whether another request may be taken.
  [[nodiscard]] bool may_process() const {
    return phase_ <= Phase::kDraining && has_room_for_replies();
  }
  [[nodiscard]] bool subscriber() const { return subscriber_; }
  // Replies wait for a commit or for another thread.
  [[nodiscard]] bool held() const { return replies_.held(); }
  [[nodiscard]] const Timers& timers() const { return timers_; }
  [[nodiscard]] Registration& registration() { return registration_; }

 private:
  friend AttentionQueue;
  enum class Attention : std::uint8_t { kNone, kRequested, kKill };
  // The requests of one consume(): where their replies go, and where they begin there.
  struct Batch {
    Output& output;
    const std::size_t front;       // bytes
    const std::size_t first_hold;  // index of their first deferred reply
  };

  void enter(Phase next);
  template <class Work>
  void at_edge(Work work) noexcept;
  [[nodiscard]] bool has_room_for_replies() const {
    return replies_.size() <= host_.options.output_high_water_bytes &&
           replies_.hold_count() < kHoldsMax && !(replies_.held() && host_.durability.behind());
  }

  // Input.
  void receive();
  void receive_behind_input();
  [[nodiscard]] std::size_t received(const TransferResult& result);
  void discard();

  // Requests. What runs once per batch of them, from one place, is inline.
  std::size_t process(std::string_view input);
  Consumed consume_batch(std::string_view input);
  inline Consumed consume(std::string_view input, const Batch& batch);
  void answer_fault(const Batch& batch);
  void process_waiting();
  void resume();
  void watch_request(bool progressed);

  // Replies.
  void hold_batch(const Batch& batch, CommitGate::Position position);
  void take_deferred(std::uint64_t ticket, std::optional<std::string> reply);
  void open_holds();
  void lose_held_replies();
  void drop_held_replies(std::size_t first = 0);
  inline std::size_t transmit(std::string_view bytes);
  void keep_batch();
  inline void flush_batch();
  void flush();
  void book_sent(std::size_t bytes);

  // The end.
  void settle();
  void linger();
  void book_buffers();

  const FaultPlace fault_place_;  // kept, because each batch is served under it
  FileDescriptor fd_;
  const Protocol protocol_;
  const std::int64_t created_ms_;
  ConnectionHost& host_;

  Phase phase_ = Phase::kOpen;
  bool peer_finished_ = false;  // the peer sent its last byte
  bool input_blocked_ = false;  // whole requests wait in input_ until there is room for replies
  bool subscriber_ = false;
  Attention attention_ = Attention::kNone;
  Connection* next_for_attention_ = nullptr;
  std::unique_ptr<Session> session_;  // until kClosed
  Output input_;                      // a queue of bytes too: received and not consumed yet
  ReplyQueue replies_;
  std::uint64_t buffer_bytes_ = 0;
  Timers timers_;
  std::size_t discarded_bytes_ = 0;  // in the phase kLingering
  std::atomic<std::size_t> unsent_bytes_{0};
  Registration registration_;
};

inline void AttentionQueue::push(Connection& connection) noexcept {
  connection.next_for_attention_ = nullptr;
  (last_ == nullptr ? first_ : last_->next_for_attention_) = &connection;
  last_ = &connection;
}

inline Connection* AttentionQueue::pop() noexcept {
  Connection* const connection = first_;
  if (connection == nullptr) return nullptr;
  first_ = connection->next_for_attention_;
  if (first_ == nullptr) last_ = nullptr;
  return connection;
}

}  // namespace vigil::server
