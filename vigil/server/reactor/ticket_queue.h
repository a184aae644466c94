// SPDX-License-Identifier: Apache-2.0
//
// TicketQueue: reply tickets on their way from the reactors to the threads that complete them, for
// tests.
//
// Thread safety: any thread.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "vigil/server/reactor/deferred_replies.h"
#include "vigil/server/reactor/test_socket.h"

namespace vigil::server {

class TicketQueue {
 public:
  struct Item {
    std::string request;
    ReplyTicket ticket;
  };
  void push(std::string request, ReplyTicket ticket) {
    const std::scoped_lock lock(mutex_);
    items_.push_back({std::move(request), std::move(ticket)});
  }
  // Waits until there are `count` of them.
  std::vector<Item> take(std::size_t count) {
    std::vector<Item> taken;
    for (int waited_ms = 0; taken.size() < count && waited_ms < kPatience_ms; ++waited_ms) {
      if (waited_ms != 0) ::poll(nullptr, 0, 1);
      const std::scoped_lock lock(mutex_);
      std::move(items_.begin(), items_.end(), std::back_inserter(taken));
      items_.clear();
    }
    EXPECT_EQ(taken.size(), count);
    return taken;
  }

 private:
  std::mutex mutex_;
  std::vector<Item> items_;
};

}  // namespace vigil::server
