// SPDX-License-Identifier: Apache-2.0
//
// Mailbox: tasks that other threads hand to a reactor.
//
// Use when: work must run on the reactor that owns a connection (pub/sub messages, CLIENT KILL, an
// accepted socket). Their order is that of a TaskQueue (task_queue.h).
//
// The eventfd is written only when the consumer sleeps: the consumer announces sleep, then looks
// into the mailbox again; a producer posts, then looks for the announcement. Both sides use
// sequentially consistent operations, so at least one of them sees the other.
//
// Thread safety: post() from any thread; everything else by the consumer.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

#include "vigil/server/reactor/task_queue.h"
#include "vigil/server/transport/socket.h"

namespace vigil::server {

class Mailbox {
 public:
  Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Runs `function` on the consumer's thread. Tasks that are left when the mailbox ends are
  // destroyed without running.
  template <class Function>
  void post(Function function) {
    tasks_.post(std::move(function));
    if (sleeping_.load(std::memory_order_seq_cst)) wake();
  }

  // Wakes the consumer if it sleeps. Async-signal-safe.
  void wake() noexcept;

  // --- Consumer --------------------------------------------------------------------------------

  // Readable when the consumer is to wake up.
  [[nodiscard]] int event_fd() const { return event_.get(); }
  void clear_event() noexcept;

  // Announces that the consumer will sleep; false if there is work to do first.
  [[nodiscard]] bool prepare_sleep() noexcept;
  void end_sleep() noexcept { sleeping_.store(false, std::memory_order_seq_cst); }

  // As TaskQueue::run().
  std::size_t run() { return tasks_.run(); }

 private:
  TaskQueue tasks_;
  std::atomic<bool> sleeping_{false};
  FileDescriptor event_;
};

}  // namespace vigil::server
