// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/reactor/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "vigil/base/check.h"

namespace vigil::server {

namespace {

constexpr std::size_t kCapacityKept = 64 * 1024;  // survives a large request or reply
constexpr std::size_t kBatchCapacityKept = std::size_t{4} << 20;  // is shared by all connections
constexpr std::size_t kLingerBytesMax = std::size_t{4} << 20;
constexpr int kDrainReadsMax = 16;  // of what the kernel had received by then

// The table in connection.h.
bool may_follow(Connection::Phase from, Connection::Phase to) {
  using Phase = Connection::Phase;
  switch (to) {
    case Phase::kOpen:
      return false;
    case Phase::kDraining:
      return from == Phase::kOpen;
    case Phase::kClosing:
      return from == Phase::kOpen || from == Phase::kDraining;
    case Phase::kLingering:
      return from == Phase::kClosing;
    case Phase::kClosed:
      return from != Phase::kClosed;
  }
  return false;
}

}  // namespace

Connection::Connection(std::uint64_t id, FileDescriptor fd, Protocol protocol, ConnectionHost& host)
    : fault_place_{protocol == Protocol::kResp ? "RESP connection" : "HTTP connection", id},
      fd_(std::move(fd)),
      protocol_(protocol),
      created_ms_(host.clock.unix_ms()),
      host_(host),
      timers_{.active_ms = created_ms_} {
  replies_.tail().set_size_max(host_.output_bytes_max());
}

Connection::~Connection() {
  drop_held_replies();
  host_.buffers.book(buffer_bytes_, 0);
}

void Connection::enter(Phase next) {
  VIGIL_CHECK(may_follow(phase_, next), "a connection's phases follow the table in connection.h");
  phase_ = next;
}

// --- For sessions --------------------------------------------------------------------------------

void Connection::request_attention() noexcept {
  if (attention_ != Attention::kNone || closed()) return;
  host_.attention.push(*this);
  attention_ = Attention::kRequested;
}

void Connection::request_kill() noexcept {
  request_attention();
  if (attention_ == Attention::kRequested) attention_ = Attention::kKill;
}

ReplyTicket Connection::defer_reply(const Output& output) {
  VIGIL_CHECK(may_defer_reply(), "a connection has kHoldsMax deferred replies at most");
  VIGIL_CHECK(&output == &replies_.tail() || (&output == &host_.batch && replies_.tail().empty()),
              "a reply is deferred in the output of its own connection");
  ReplyTicket ticket =
      host_.deferred_replies.issue([this](std::uint64_t number, std::optional<std::string> reply) {
        take_deferred(number, std::move(reply));
      });
  replies_.hold_reply(output.size(), ticket.number());
  return ticket;
}

// --- For the reactor -----------------------------------------------------------------------------

template <class Work>
void Connection::at_edge(Work work) noexcept {
  if (contain_faults(host_.faults, host_.counters.connection_faults, fault_place(), work)) return;
  host_.batch.truncate(0);
  close();
}

void Connection::serve(std::uint32_t events) noexcept {
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) return close();
  at_edge([&] {
    if ((events & EPOLLOUT) != 0) {
      flush();
      // The time during which the peer was not read from does not count against its request.
      if (timers_.request_ms != 0) timers_.request_ms = host_.clock.unix_ms();
      resume();
    }
    if ((events & EPOLLIN) != 0) phase_ == Phase::kLingering ? discard() : receive();
    settle();
  });
}

void Connection::attend() noexcept {
  const Attention attention = std::exchange(attention_, Attention::kNone);
  if (closed()) return;
  if (attention == Attention::kKill) return close();
  at_edge([&] {
    open_holds();
    flush();
    resume();
    settle();
  });
}

void Connection::drain() noexcept {
  at_edge([&] {
    const std::uint64_t quiet = host_.counters.bytes_in.value();
    for (int reads = 0; reads < kDrainReadsMax && phase_ == Phase::kOpen; ++reads) {
      const std::uint64_t before = host_.counters.bytes_in.value();
      receive();
      if (host_.counters.bytes_in.value() == before) break;
    }
    // Nothing came, nothing is under way: there is nothing to wait for.
    const bool idle = host_.counters.bytes_in.value() == quiet && input_.empty();
    if (phase_ == Phase::kOpen && idle && replies_.empty()) return close();
    if (phase_ == Phase::kOpen) enter(Phase::kDraining);
    settle();
  });
}

void Connection::drop() {
  if (closed()) return;
  host_.counters.connections_dropped.add(1);
  close();
}

void Connection::close() {
  if (closed()) return;
  enter(Phase::kClosed);
  drop_held_replies();
  ::shutdown(fd(), SHUT_RDWR);
  session_.reset();
  // The buffers go with the connection, at the end of the turn.
  host_.buffers.book(std::exchange(buffer_bytes_, 0), 0);
}

void Connection::trim() {
  if (closed()) return;
  if (input_.empty()) input_.release();
  replies_.shrink(0);
  book_buffers();
}

void Connection::shed() {
  if (closed()) return;
  std::array<char, 120> reason{};
  std::snprintf(reason.data(), reason.size(),
                "the limit of all connections' memory: it held %llu of %llu bytes",
                static_cast<unsigned long long>(buffer_bytes_),
                static_cast<unsigned long long>(host_.buffers.used()));
  host_.faults.report(fault_place(), reason.data());
  host_.counters.connections_shed.add(1);
  drop();
}

std::uint32_t Connection::wanted_events() const {
  std::uint32_t events = 0;
  const bool wants_input = phase_ == Phase::kOpen && has_room_for_replies();
  if (wants_input || phase_ == Phase::kLingering) events |= EPOLLIN;
  if (!replies_.sendable().empty()) events |= EPOLLOUT;
  return events;
}

// --- Input ---------------------------------------------------------------------------------------

// Reads once, behind the tail of the last read, into the buffer that all connections share.
void Connection::receive() {
  if (phase_ != Phase::kOpen || !has_room_for_replies()) return;
  const std::size_t tail = input_.size();
  if (tail > ConnectionHost::kTailCopied) return receive_behind_input();
  char* const buffer = host_.read_buffer.get();
  const std::size_t size = received(receive_some(fd(), buffer + tail, ConnectionHost::kReadBytes));
  if (size == 0) return;
  if (tail != 0) std::memcpy(buffer, input_.view().data(), tail);
  input_.consume(tail);
  const std::string_view input(buffer, tail + size);
  const std::size_t used = process(input);
  if (closed() || used == input.size()) return;
  static_cast<void>(input_.reserve(input.size() - used + ConnectionHost::kInputPadding));
  input_.append(input.substr(used));
}

// The open request is large: reads behind it in the connection's own buffer.
void Connection::receive_behind_input() {
  char* const space = input_.reserve(ConnectionHost::kReadBytes + ConnectionHost::kInputPadding);
  const std::size_t size = received(receive_some(fd(), space, ConnectionHost::kReadBytes));
  if (size == 0) return;
  input_.commit(space + size);
  process_waiting();
  const std::size_t limit = host_.options.request_bytes_max + ConnectionHost::kReadBytes;
  if (may_process() && input_.size() > limit) drop();
}

// Books what receiving did; returns the bytes received.
std::size_t Connection::received(const TransferResult& result) {
  switch (result.outcome) {
    case Transfer::kMoved:
      timers_.active_ms = host_.clock.unix_ms();
      host_.counters.bytes_in.add(result.bytes);
      break;
    case Transfer::kWouldBlock:
      break;
    case Transfer::kEnd:
      peer_finished_ = true;
      enter(Phase::kDraining);
      break;
    case Transfer::kFailed:
      close();
      break;
  }
  return result.bytes;
}

void Connection::discard() {
  const TransferResult result =
      receive_some(fd(), host_.read_buffer.get(), ConnectionHost::kReadBytes);
  if (result.outcome == Transfer::kWouldBlock) return;
  discarded_bytes_ += result.bytes;
  if (result.outcome != Transfer::kMoved || discarded_bytes_ > kLingerBytesMax) close();
}

// --- Requests ------------------------------------------------------------------------------------

// Lets the session work through `input`, sending after each of its batches; returns the bytes used.
std::size_t Connection::process(std::string_view input) {
  std::size_t used = 0;
  // Asked once per batch: the log may catch up at any time, and what is blocked here must be what
  // the end of a hold resumes.
  bool room = has_room_for_replies();
  while (used < input.size() && room && phase_ <= Phase::kDraining) {
    const Consumed consumed = consume_batch(input.substr(used));
    used += consumed.bytes;
    room = has_room_for_replies();
    if (consumed.bytes == 0) break;
  }
  if (closed()) return used;
  input_blocked_ = used < input.size() && phase_ <= Phase::kDraining && !room;
  watch_request(used != 0);
  return used;
}

// One call of the session, and the sending of its replies.
Consumed Connection::consume_batch(std::string_view input) {
  const bool direct = replies_.empty();
  Output& output = direct ? host_.batch : replies_.tail();
  const Batch batch{output, output.size(), replies_.hold_count()};
  host_.commit_gate.begin_batch();
  const Consumed consumed = consume(input, batch);
  if (consumed.wrote) host_.commit_gate.require(host_.durability.tail());
  if (consumed.close) enter(Phase::kClosing);
  const CommitGate::Position required = host_.commit_gate.required();
  if (required != 0) [[unlikely]]
    hold_batch(batch, required);
  if (!direct) {
    flush();
  } else if (held()) {
    keep_batch();
  } else {
    flush_batch();
  }
  return consumed;
}

// As the session's consume(). A fault takes the whole input and ends the connection.
inline Consumed Connection::consume(std::string_view input, const Batch& batch) {
  Consumed consumed{};
  const bool done = contain_faults(host_.faults, host_.counters.connection_faults, fault_place(),
                                   [&] { consumed = session_->consume(input, batch.output); });
  if (done) [[likely]]
    return consumed;
  answer_fault(batch);
  return {.bytes = input.size(), .close = true, .wrote = true};
}

// Lets the session answer a fault, if it still can; where the batch has deferred replies nobody
// knows which of them are whole, and all its replies are lost.
void Connection::answer_fault(const Batch& batch) {
  if (replies_.hold_count() == batch.first_hold) return session_->answer_fault(batch.output);
  drop_held_replies(batch.first_hold);
  batch.output.truncate(batch.front);
  session_->replies_lost(batch.output);
}

// Works through input that waits in the connection's own buffer.
void Connection::process_waiting() {
  if (input_.empty()) return;
  static_cast<void>(input_.reserve(ConnectionHost::kInputPadding));
  const std::size_t used = process(input_.view());
  if (closed()) return;
  input_.consume(used);
  if (input_.empty() && input_.capacity() > kCapacityKept) input_.release();
}

// Goes on with requests that had to wait until there was room for their replies.
void Connection::resume() {
  if (input_blocked_ && may_process()) process_waiting();
}

// Starts the request's timer anew whenever a request is left unfinished.
void Connection::watch_request(bool progressed) {
  const bool unfinished = phase_ <= Phase::kDraining && session_->mid_request();
  if (!unfinished) {
    timers_.request_ms = 0;
  } else if (timers_.request_ms == 0 || progressed) {
    timers_.request_ms = host_.clock.unix_ms();
  }
}

// --- Replies -------------------------------------------------------------------------------------

// Holds the replies of a batch until what it wrote is committed.
void Connection::hold_batch(const Batch& batch, CommitGate::Position position) {
  const bool replied =
      batch.output.size() != batch.front || replies_.hold_count() != batch.first_hold;
  const CommitGate::State state = host_.commit_gate.state_of(position);
  if (!replied || state == CommitGate::State::kCommitted) return;
  replies_.hold_commit(batch.front, batch.first_hold, position);
  if (state == CommitGate::State::kWaiting) {
    host_.commit_gate.wait(position, *this);
  } else {
    request_attention();  // where lost replies are dealt with
  }
}

void Connection::take_deferred(std::uint64_t ticket, std::optional<std::string> reply) {
  replies_.answer(ticket, std::move(reply));
  request_attention();
}

// Lets what no longer has to wait leave, in order.
void Connection::open_holds() {
  if (!held()) return;
  using State = CommitGate::State;
  bool lost = false;
  replies_.open([&](const ReplyQueue::Hold& hold) {
    if (hold.commit == 0) {
      lost = hold.abandoned;
      return hold.answer.has_value();
    }
    const State state = host_.commit_gate.state_of(hold.commit);
    lost = state == State::kFailed;
    return state == State::kCommitted;
  });
  timers_.active_ms = host_.clock.unix_ms();  // the peer was waiting for us
  if (lost) lose_held_replies();
}

void Connection::lose_held_replies() {
  drop_held_replies();
  session_->replies_lost(replies_.tail());
  if (phase_ != Phase::kClosing) enter(Phase::kClosing);
}

// Drops the holds from index `first` on.
void Connection::drop_held_replies(std::size_t first) {
  if (first == 0 && held()) host_.commit_gate.forget(*this);
  replies_.drop_held(first, [&](std::uint64_t ticket) { host_.deferred_replies.withdraw(ticket); });
}

// Sends as much as the socket takes; returns how much.
inline std::size_t Connection::transmit(std::string_view bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const TransferResult result = send_some(fd(), bytes.substr(sent));
    sent += result.bytes;
    if (result.outcome == Transfer::kFailed) close();
    if (result.outcome != Transfer::kMoved) break;
  }
  return sent;
}

// The shared buffer has replies that must wait: moves them to the connection's own.
void Connection::keep_batch() {
  replies_.tail().append(host_.batch.view());
  host_.batch.truncate(0);
  flush();
}

// Sends the shared buffer, of a connection that has no replies of its own; what the socket does not
// take becomes them.
inline void Connection::flush_batch() {
  Output& batch = host_.batch;
  const std::size_t sent = transmit(batch.view());
  if (sent == batch.size()) [[likely]] {
    host_.counters.bytes_out.add(sent);
    timers_.stalled_ms = 0;
  } else {
    if (!closed()) replies_.tail().append(batch.view().substr(sent));
    book_sent(sent);
  }
  batch.truncate(0);
  if (batch.capacity() > kBatchCapacityKept) [[unlikely]]
    batch.release();
}

// Sends what may leave of the connection's own replies.
void Connection::flush() {
  std::size_t sent = 0;
  for (std::string_view bytes = replies_.sendable(); !bytes.empty() && !closed();
       bytes = replies_.sendable()) {
    const std::size_t moved = transmit(bytes);
    replies_.sent(moved);
    sent += moved;
    if (moved < bytes.size()) break;
  }
  book_sent(sent);
  replies_.shrink(kCapacityKept);
}

void Connection::book_sent(std::size_t bytes) {
  host_.counters.bytes_out.add(bytes);
  unsent_bytes_.store(replies_.size(), std::memory_order_relaxed);
  if (replies_.sendable().empty()) {
    timers_.stalled_ms = 0;
  } else if (bytes != 0 || timers_.stalled_ms == 0) {
    timers_.stalled_ms = host_.clock.unix_ms();
  }
}

// --- The end -------------------------------------------------------------------------------------

// After anything happened: cuts the client off at a limit, or goes on to the next phase.
void Connection::settle() {
  if (closed()) return;
  const std::size_t limit =
      subscriber_ ? host_.options.pubsub_output_limit_bytes : host_.options.output_limit_bytes;
  if (replies_.size() > limit) return drop();
  if (phase_ == Phase::kDraining && !input_blocked_) enter(Phase::kClosing);
  if (phase_ == Phase::kClosing && replies_.empty()) peer_finished_ ? close() : linger();
  if (!closed()) book_buffers();
}

void Connection::book_buffers() {
  const std::uint64_t now = input_.capacity() + replies_.capacity() + session_->buffer_bytes();
  if (now == buffer_bytes_) [[likely]]
    return;
  host_.buffers.book(std::exchange(buffer_bytes_, now), now);
  host_.buffers.raise_largest(host_.reactor, now);
}

// Shuts our side and reads on for a while: closing with unread input would reset the connection
// and could take the last reply from the peer.
void Connection::linger() {
  enter(Phase::kLingering);
  input_.release();
  timers_.request_ms = 0;
  timers_.lingering_ms = host_.clock.unix_ms();
  ::shutdown(fd(), SHUT_WR);
}

}  // namespace vigil::server
