// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/reactor/mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "vigil/base/check.h"

namespace vigil::server {

Mailbox::Mailbox() : event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  VIGIL_CHECK(event_.valid(), "the system has no eventfd left for a reactor");
}

Mailbox::~Mailbox() {
  while (next_taken() != nullptr) {
  }
  taken_ = take_all();
  while (next_taken() != nullptr) {
  }
}

void Mailbox::push(Task* task) {
  task->next = newest_.load(std::memory_order_relaxed);
  while (!newest_.compare_exchange_weak(task->next, task, std::memory_order_seq_cst,
                                        std::memory_order_relaxed)) {
  }
  if (sleeping_.load(std::memory_order_seq_cst)) wake();
}

void Mailbox::wake() noexcept {
  sleeping_.store(false, std::memory_order_seq_cst);
  const int saved = errno;
  const std::uint64_t one = 1;
  // A full counter is fine: the event is readable then.
  [[maybe_unused]] const ssize_t written = ::write(event_.get(), &one, sizeof(one));
  errno = saved;
}

void Mailbox::clear_event() noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t size = ::read(event_.get(), &count, sizeof(count));
}

bool Mailbox::prepare_sleep() noexcept {
  sleeping_.store(true, std::memory_order_seq_cst);
  if (taken_ == nullptr && newest_.load(std::memory_order_seq_cst) == nullptr) return true;
  end_sleep();
  return false;
}

Mailbox::Task* Mailbox::take_all() noexcept {
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

std::size_t Mailbox::run() {
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

std::unique_ptr<Mailbox::Task> Mailbox::next_taken() noexcept {
  std::unique_ptr<Task> task(taken_);
  if (task != nullptr) taken_ = task->next;
  return task;
}

}  // namespace vigil::server
