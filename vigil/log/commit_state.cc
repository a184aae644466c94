// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/commit_state.h"

namespace vigil::log {

std::string CommitState::failure() const {
  const std::lock_guard guard(mutex_);
  return reason_;
}

void CommitState::set_committed(Position position) {
  const std::lock_guard guard(mutex_);
  if (has_failed() || position <= committed()) return;
  committed_.store(position, std::memory_order_release);
  listener_.committed(position);
  changed_.notify_all();
}

void CommitState::set_durable(Position position) {
  const std::lock_guard guard(mutex_);
  if (has_failed() || position <= durable()) return;
  durable_.store(position, std::memory_order_release);
}

void CommitState::fail(std::string_view reason) {
  const std::lock_guard guard(mutex_);
  if (has_failed()) return;
  reason_ = reason;
  listener_.failed(reason_);
  failed_.store(true, std::memory_order_release);
  changed_.notify_all();
}

void CommitState::set_closed() {
  const std::lock_guard guard(mutex_);
  closed_ = true;
  changed_.notify_all();
}

bool CommitState::wait_committed(Position position) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return committed() >= position || has_failed() || closed_; });
  return committed() >= position;
}

}  // namespace vigil::log
