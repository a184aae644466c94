// SPDX-License-Identifier: Apache-2.0
//
// The gate alone; connections behind it are tested in connection_test and reactor_test.
#include "vigil/server/reactor/commit_gate.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "vigil/server/reactor/mailbox.h"

namespace vigil::server {
namespace {

using State = CommitGate::State;

class CommitGateTest : public ::testing::Test {
 protected:
  // The gate uses a connection as a name only.
  Connection& connection(std::uintptr_t number) {
    return *reinterpret_cast<Connection*>(&names_[number]);
  }
  std::vector<std::uintptr_t> released() {
    std::vector<std::uintptr_t> numbers;
    gate_.release([&](Connection& connection) {
      numbers.push_back(static_cast<std::uintptr_t>(
          reinterpret_cast<const std::uint64_t*>(&connection) - names_));
    });
    return numbers;
  }
  // Whether the reactor would be woken within `patience_ms`.
  bool woken(int patience_ms) {
    pollfd event{mailbox_.event_fd(), POLLIN, 0};
    if (::poll(&event, 1, patience_ms) != 1) return false;
    mailbox_.clear_event();
    return true;
  }

  using Numbers = std::vector<std::uintptr_t>;
  std::uint64_t names_[8] = {};
  Mailbox mailbox_;
  CommitGate gate_{mailbox_};
};

TEST_F(CommitGateTest, ABatchRequiresItsHighestPosition) {
  gate_.begin_batch();
  EXPECT_EQ(gate_.required(), 0U);
  gate_.require(5);
  gate_.require(3);
  EXPECT_EQ(gate_.required(), 5U);
  gate_.begin_batch();
  EXPECT_EQ(gate_.required(), 0U);
}

TEST_F(CommitGateTest, APositionIsCommittedOnceTheCommitterPassedIt) {
  EXPECT_EQ(gate_.state_of(1), State::kWaiting);
  gate_.advance(2);
  EXPECT_EQ(gate_.state_of(2), State::kCommitted);
  EXPECT_EQ(gate_.state_of(3), State::kWaiting);
  gate_.fail();
  EXPECT_EQ(gate_.state_of(2), State::kCommitted);
  EXPECT_EQ(gate_.state_of(3), State::kFailed);
}

TEST_F(CommitGateTest, WaitsEndInTheOrderInWhichTheyBegan) {
  gate_.wait(7, connection(0));
  gate_.wait(3, connection(1));  // behind a change that was executed earlier
  gate_.wait(7, connection(2));
  gate_.wait(9, connection(3));
  EXPECT_EQ(released(), Numbers{});
  gate_.advance(3);
  EXPECT_EQ(released(), Numbers{1});
  gate_.advance(8);
  EXPECT_EQ(released(), (Numbers{0, 2}));
  EXPECT_EQ(released(), Numbers{});
  gate_.fail();
  EXPECT_EQ(released(), Numbers{3});
}

TEST_F(CommitGateTest, AForgottenConnectionIsNotReleased) {
  gate_.wait(1, connection(0));
  gate_.wait(1, connection(1));
  gate_.wait(2, connection(0));
  gate_.forget(connection(0));
  gate_.advance(2);
  EXPECT_EQ(released(), Numbers{1});
}

TEST_F(CommitGateTest, AReactorIsWokenOnlyForWhatItWaitsFor) {
  EXPECT_TRUE(gate_.prepare_sleep()) << "nothing waits";
  gate_.advance(1);
  EXPECT_FALSE(woken(0));
  gate_.wait(5, connection(0));
  gate_.advance(5);
  EXPECT_FALSE(woken(0)) << "it is awake";
  EXPECT_FALSE(gate_.prepare_sleep()) << "a wait has ended";
  EXPECT_EQ(released(), Numbers{0});
  gate_.wait(8, connection(1));
  EXPECT_TRUE(gate_.prepare_sleep());
  gate_.advance(7);
  EXPECT_FALSE(woken(0));
  gate_.advance(8);
  EXPECT_TRUE(woken(0));
}

TEST_F(CommitGateTest, AFailureWakesAReactorThatWaits) {
  gate_.wait(5, connection(0));
  EXPECT_TRUE(gate_.prepare_sleep());
  gate_.fail();
  EXPECT_TRUE(woken(0));
  EXPECT_EQ(released(), Numbers{0});
}

TEST_F(CommitGateTest, NoWakeUpIsLostBetweenAReactorAndItsCommitter) {
  constexpr CommitGate::Position kSteps = 50'000;
  constexpr int kPatience_ms = 20'000;
  std::atomic<CommitGate::Position> executed{0};
  std::thread committer([&] {
    for (CommitGate::Position committed = 0; committed < kSteps;) {
      const CommitGate::Position position = executed.load(std::memory_order_acquire);
      if (position == committed) continue;
      committed = position;
      gate_.advance(committed);
    }
  });
  for (CommitGate::Position position = 1; position <= kSteps; ++position) {
    gate_.wait(position, connection(0));
    executed.store(position, std::memory_order_release);
    while (released().empty()) {
      const bool asleep = gate_.prepare_sleep();
      ASSERT_TRUE(!asleep || woken(kPatience_ms)) << "lost at step " << position;
      gate_.end_sleep();
    }
  }
  committer.join();
}

using CommitGateDeathTest = CommitGateTest;

TEST_F(CommitGateDeathTest, WhatWasCommittedIsNotTakenBack) {
  gate_.advance(5);
  EXPECT_DEATH(gate_.advance(4), "cannot be taken back");
  gate_.fail();
  EXPECT_DEATH(gate_.advance(6), "nothing is committed after a failure");
}

}  // namespace
}  // namespace vigil::server
