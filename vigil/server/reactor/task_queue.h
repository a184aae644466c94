// SPDX-License-Identifier: Apache-2.0
//
// TaskQueue: functions that any thread hands to one consumer, run in the order of posting.
//
// Use when: the consumer looks by itself. Use instead: a Mailbox, which wakes it up.
//
// A multi-producer, single-consumer stack that the consumer takes as a whole and reverses (Treiber,
// 1986). Tasks of one sender run in the order of posting; tasks posted under one lock run in the
// order in which the lock was held.
//
// Thread safety: post() from any thread; everything else by the consumer.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace vigil::server {

class TaskQueue {
 public:
  TaskQueue() = default;
  // Tasks that are left are destroyed without running.
  ~TaskQueue();
  TaskQueue(const TaskQueue&) = delete;
  TaskQueue& operator=(const TaskQueue&) = delete;

  // True if nothing lay before it that the consumer had not taken: somebody should tell it to run.
  template <class Function>
  bool post(Function function) {
    return push(new FunctionTask<Function>(std::move(function)));
  }

  // --- Consumer --------------------------------------------------------------------------------

  [[nodiscard]] bool empty() const noexcept {
    return taken_ == nullptr && newest_.load(std::memory_order_seq_cst) == nullptr;
  }
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

  bool push(Task* task) noexcept;
  Task* take_all() noexcept;
  std::unique_ptr<Task> next_taken() noexcept;

  std::atomic<Task*> newest_{nullptr};
  Task* taken_ = nullptr;  // the consumer's: oldest first, not run yet
};

}  // namespace vigil::server
