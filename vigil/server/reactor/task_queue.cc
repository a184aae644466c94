// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/reactor/task_queue.h"

namespace vigil::server {

TaskQueue::~TaskQueue() {
  while (next_taken() != nullptr) {
  }
  taken_ = take_all();
  while (next_taken() != nullptr) {
  }
}

bool TaskQueue::push(Task* task) noexcept {
  Task* before = newest_.load(std::memory_order_relaxed);
  do {
    task->next = before;
  } while (!newest_.compare_exchange_weak(before, task, std::memory_order_seq_cst,
                                          std::memory_order_relaxed));
  return before == nullptr;  // not task->next: the consumer may have run and freed the task
}

TaskQueue::Task* TaskQueue::take_all() noexcept {
  Task* task = newest_.exchange(nullptr, std::memory_order_acquire);
  Task* oldest = nullptr;
  while (task != nullptr) {
    Task* const next = task->next;
    task->next = oldest;
    oldest = task;
    task = next;
  }
  return oldest;
}

std::size_t TaskQueue::run() {
  if (taken_ == nullptr) {
    if (newest_.load(std::memory_order_relaxed) == nullptr) return 0;
    taken_ = take_all();
  }
  std::size_t ran = 0;
  while (const std::unique_ptr<Task> task = next_taken()) {
    task->run();
    ++ran;
  }
  return ran;
}

std::unique_ptr<TaskQueue::Task> TaskQueue::next_taken() noexcept {
  std::unique_ptr<Task> task(taken_);
  if (task != nullptr) taken_ = task->next;
  return task;
}

}  // namespace vigil::server
