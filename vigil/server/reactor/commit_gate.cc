// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/reactor/commit_gate.h"

#include "vigil/base/check.h"

namespace vigil::server {

void CommitGate::advance(Position committed) {
  VIGIL_CHECK(committed >= committed_.load(std::memory_order_relaxed) &&
                  !failed_.load(std::memory_order_relaxed),
              "what was committed cannot be taken back, and nothing is committed after a failure");
  committed_.store(committed, std::memory_order_seq_cst);
  if (announced_.load(std::memory_order_seq_cst) <= committed) mailbox_.wake();
}

void CommitGate::fail() {
  failed_.store(true, std::memory_order_seq_cst);
  if (announced_.load(std::memory_order_seq_cst) != kNobodyWaits) mailbox_.wake();
}

CommitGate::State CommitGate::state_of(Position position) const {
  // In this order: a failure that is seen here happened after the last advance().
  const bool failed = failed_.load(std::memory_order_seq_cst);
  if (position <= committed_.load(std::memory_order_seq_cst)) return State::kCommitted;
  return failed ? State::kFailed : State::kWaiting;
}

void CommitGate::wait(Position position, Connection& connection) {
  waits_.push_back({position, &connection});
  note_lowest(position);
}

void CommitGate::forget(const Connection& connection) {
  std::erase_if(waits_, [&](const Wait& wait) { return wait.connection == &connection; });
}

bool CommitGate::prepare_sleep() {
  if (waits_.empty()) return true;
  announced_.store(lowest_, std::memory_order_seq_cst);
  if (state_of(lowest_) == State::kWaiting) return true;
  end_sleep();
  return false;
}

}  // namespace vigil::server
