// SPDX-License-Identifier: Apache-2.0
//
// Mailbox: tasks that other threads hand to a reactor.
//
// Use when: work must run on the reactor that owns a connection (pub/sub messages, CLIENT KILL, an
// accepted socket). Tasks of one sender run in the order of posting; tasks posted under one lock
// run in the order in which the lock was held.
//
// A multi-producer, single-consumer stack that the consumer takes as a whole and reverses (Treiber,
// 1986). The eventfd is written only when the consumer sleeps: the consumer announces sleep, then
// looks into the mailbox again; a producer posts, then looks for the announcement. Both sides use
// sequentially consistent operations, so at least one of them sees the other.
//
// Thread safety: post() from any thread; everything else by the consumer.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "vigil/server/transport/socket.h"

namespace vigil::server {

class Mailbox {
 public:
  Mailbox();
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Runs `function` on the consumer's thread. Tasks that are left when the mailbox ends are
  // destroyed without running.
  template <class Function>
  void post(Function function) {
    push(new FunctionTask<Function>(std::move(function)));
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

  // Runs the tasks that are here now; returns how many. If one throws, those behind it are run by
  // the next call.
  std::size_t run();

 private:
  struct Task {
    virtual ~Task() = default;
    virtual void run() = 0;
    Task* next = nullptr;
  };
  template <class Function>
  struct FunctionTask final : Task {
    explicit FunctionTask(Function f) : function(std::move(f)) {}
    void run() override { function(); }
    Function function;
  };

  void push(Task* task);
  Task* take_all() noexcept;
  std::unique_ptr<Task> next_taken() noexcept;

  std::atomic<Task*> newest_{nullptr};
  Task* taken_ = nullptr;  // the consumer's: oldest first, not run yet
  std::atomic<bool> sleeping_{false};
  FileDescriptor event_;
};

}  // namespace vigil::server
