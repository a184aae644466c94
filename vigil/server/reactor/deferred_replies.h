// SPDX-License-Identifier: Apache-2.0
//
// DeferredReplies: answers that a reactor will get later, from any thread; ReplyTicket: the right
// and the duty to give one of them.
//
// Use when: a request cannot be answered before something else happened (a blocking command, work
// that another thread does). The session takes a ticket (Connection::defer_reply()), which keeps a
// place in the connection's output; complete() fills it, and what is behind it follows.
//
// A ticket that is destroyed uncompleted abandons its reply: the connection then closes behind the
// replies before it, so that no peer waits for ever. Tickets are numbered and no number is used
// twice, so the answer to a connection that closed meanwhile finds no receiver and is dropped.
//
// Thread safety: a ticket may be moved to any thread and completed there, also when its reactor has
// ended. DeferredReplies belongs to one reactor.
//
//   ReplyTicket ticket = connection.defer_reply(output);
//   workers.post([ticket = std::move(ticket)]() mutable { ticket.complete("+DONE\r\n"); });
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "vigil/server/reactor/mailbox.h"

namespace vigil::server {

class DeferredReplies;

class ReplyTicket {
 public:
  ReplyTicket() = default;  // completes nothing
  ~ReplyTicket() { deliver(std::nullopt); }
  ReplyTicket(ReplyTicket&& other) noexcept
      : mailbox_(std::move(other.mailbox_)),
        replies_(other.replies_),
        number_(std::exchange(other.number_, 0)) {}
  ReplyTicket& operator=(ReplyTicket&& other) noexcept;

  [[nodiscard]] bool valid() const { return number_ != 0; }
  [[nodiscard]] std::uint64_t number() const { return number_; }

  // Gives the whole reply in the connection's protocol. REQUIRES: valid(), which ends here.
  void complete(std::string reply);

 private:
  friend class DeferredReplies;
  ReplyTicket(std::weak_ptr<Mailbox> mailbox, DeferredReplies& replies, std::uint64_t number)
      : mailbox_(std::move(mailbox)), replies_(&replies), number_(number) {}

  void deliver(std::optional<std::string> reply);

  std::weak_ptr<Mailbox> mailbox_;  // a ticket may outlive its reactor
  DeferredReplies* replies_ = nullptr;
  std::uint64_t number_ = 0;  // 0: none
};

class DeferredReplies {
 public:
  // Gets the reply of the ticket `number`, or nothing if the ticket was abandoned. Called once at
  // most, on the reactor's thread, and not after withdraw().
  using Receiver = std::function<void(std::uint64_t number, std::optional<std::string> reply)>;

  // REQUIRES: no task of `mailbox` runs after the end of this object.
  explicit DeferredReplies(std::weak_ptr<Mailbox> mailbox) : mailbox_(std::move(mailbox)) {}
  DeferredReplies(const DeferredReplies&) = delete;
  DeferredReplies& operator=(const DeferredReplies&) = delete;

  [[nodiscard]] ReplyTicket issue(Receiver receiver);
  // Forgets the receiver of a ticket; nothing if it has its reply.
  void withdraw(std::uint64_t number) { receivers_.erase(number); }
  [[nodiscard]] std::size_t pending() const { return receivers_.size(); }

 private:
  friend class ReplyTicket;
  void receive(std::uint64_t number, std::optional<std::string> reply);

  std::weak_ptr<Mailbox> mailbox_;
  std::uint64_t issued_ = 0;
  std::unordered_map<std::uint64_t, Receiver> receivers_;
};

}  // namespace vigil::server
