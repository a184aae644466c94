// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/reactor/deferred_replies.h"

#include "vigil/base/check.h"

namespace vigil::server {

ReplyTicket& ReplyTicket::operator=(ReplyTicket&& other) noexcept {
  if (this != &other) {
    deliver(std::nullopt);
    mailbox_ = std::move(other.mailbox_);
    replies_ = other.replies_;
    number_ = std::exchange(other.number_, 0);
  }
  return *this;
}

void ReplyTicket::complete(std::string reply) {
  VIGIL_CHECK(valid(), "a deferred reply is given once");
  deliver(std::move(reply));
}

void ReplyTicket::deliver(std::optional<std::string> reply) {
  const std::uint64_t number = std::exchange(number_, 0);
  if (number == 0) return;
  const std::shared_ptr<Mailbox> mailbox = mailbox_.lock();
  if (mailbox == nullptr) return;  // the reactor ended
  mailbox->post([replies = replies_, number, reply = std::move(reply)]() mutable {
    replies->receive(number, std::move(reply));
  });
}

ReplyTicket DeferredReplies::issue(Receiver receiver) {
  const std::uint64_t number = ++issued_;
  receivers_.emplace(number, std::move(receiver));
  return {mailbox_, *this, number};
}

void DeferredReplies::receive(std::uint64_t number, std::optional<std::string> reply) {
  const auto found = receivers_.find(number);
  if (found == receivers_.end()) return;  // its connection closed meanwhile
  const Receiver receiver = std::move(found->second);
  receivers_.erase(found);
  receiver(number, std::move(reply));
}

}  // namespace vigil::server
