// SPDX-License-Identifier: Apache-2.0
#include "vigil/maps/internal/reclaimer.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace vigil::maps::internal {
namespace {

struct Counted final : Node {
  explicit Counted(int& counter, std::size_t size = 100) : destroyed(counter), size_bytes(size) {}
  ~Counted() { ++destroyed; }
  void let_go() noexcept override { delete this; }
  [[nodiscard]] std::size_t bytes() const noexcept override { return size_bytes; }
  int& destroyed;
  std::size_t size_bytes;
};

class ReclaimerTest : public ::testing::Test {
 protected:
  void retire(Node* node) { static_cast<void>(unlinked_.push(node)); }
  void reclaim() {
    const Garbage garbage = reclaimer_.reclaim(true, [this](Retired& to) { to.absorb(unlinked_); });
  }

  table::HazardDomain& domain_ = table::HazardDomain::process();
  Reclaimer reclaimer_{domain_};
  Retired unlinked_;
  int destroyed_ = 0;
};

TEST_F(ReclaimerTest, WhatNobodyUsesIsDestroyedAtOnce) {
  for (int i = 0; i < 10; ++i) retire(new Counted(destroyed_));
  EXPECT_EQ(unlinked_.bytes(), 1'000U);
  reclaim();
  EXPECT_EQ(destroyed_, 10);
  EXPECT_TRUE(unlinked_.empty());
  EXPECT_EQ(reclaimer_.kept(), 0U);
}

TEST_F(ReclaimerTest, OnlyWhatAReaderUsesIsKeptAndItsThreadIsTold) {
  auto* used = new Counted(destroyed_, 7);
  {
    table::HazardGuard guard(domain_);
    guard.protect<1>(used);
    for (int i = 0; i < 10; ++i) retire(new Counted(destroyed_));
    retire(used);
    for (int i = 0; i < 3; ++i) reclaim();
    EXPECT_EQ(destroyed_, 10);
    EXPECT_EQ(reclaimer_.kept(), 1U);
    EXPECT_EQ(reclaimer_.kept_bytes(), 7U);
    EXPECT_EQ(reclaimer_.keeping_thread(), gettid());
  }
  reclaim();
  EXPECT_EQ(destroyed_, 11);
  EXPECT_EQ(reclaimer_.keeping_thread(), 0);
}

TEST_F(ReclaimerTest, BothObjectsOfEveryNestedGuardCount) {
  std::vector<std::unique_ptr<table::HazardGuard<>>> guards;
  for (int depth = 0; depth < 20; ++depth) {
    guards.push_back(std::make_unique<table::HazardGuard<>>(domain_));
    auto* key = new Counted(destroyed_);
    auto* value = new Counted(destroyed_);
    guards.back()->protect<0>(key);
    guards.back()->protect<1>(value);
    retire(key);
    retire(value);
  }
  reclaim();
  EXPECT_EQ(destroyed_, 0);
  for (int kept = 38; !guards.empty(); kept -= 2) {
    guards.pop_back();
    reclaim();
    EXPECT_EQ(destroyed_, 40 - kept);
  }
}

TEST_F(ReclaimerTest, ASetKeepsItsNodesUntilItLeaves) {
  NodeSet set;
  NodeSet other;
  std::vector<Node*> nodes;
  for (int i = 0; i < 300; ++i) nodes.push_back(new Counted(destroyed_));
  set.nodes.assign(nodes.begin(), nodes.end());
  other.nodes.assign(nodes.begin(), nodes.begin() + 1);
  reclaimer_.enter(set);
  reclaimer_.enter(other);
  for (Node* node : nodes) retire(node);
  reclaim();
  EXPECT_EQ(destroyed_, 0);
  reclaimer_.leave(set);
  reclaim();
  EXPECT_EQ(destroyed_, 299);
  reclaimer_.leave(other);
  reclaim();
  EXPECT_EQ(destroyed_, 300);
}

TEST_F(ReclaimerTest, AGarbagesDestructorMayRetireAndReclaim) {
  struct Chain final : Node {
    Chain(ReclaimerTest& t, Retired& u, Reclaimer& r, int& d, int n)
        : test(t), unlinked(u), reclaimer(r), destroyed(d), left(n) {}
    void let_go() noexcept override { delete this; }
    ~Chain() {
      ++destroyed;
      if (left == 0) return;
      // NOLINTNEXTLINE(bugprone-unhandled-exception-at-new): a test without memory may end so.
      unlinked.push(new Chain(test, unlinked, reclaimer, destroyed, left - 1));
      const Garbage garbage = reclaimer.reclaim(true, [this](Retired& to) { to.absorb(unlinked); });
    }
    [[nodiscard]] std::size_t bytes() const noexcept override { return 1; }
    ReclaimerTest& test;
    Retired& unlinked;
    Reclaimer& reclaimer;
    int& destroyed;
    int left;
  };
  retire(new Chain(*this, unlinked_, reclaimer_, destroyed_, 20));
  reclaim();
  EXPECT_EQ(destroyed_, 21);
}

TEST_F(ReclaimerTest, TheLimitIsThatOfTheMapUntilShardsAreMany) {
  EXPECT_EQ(Reclaimer::limit(1), Reclaimer::kBytes);
  EXPECT_EQ(Reclaimer::limit(64), Reclaimer::kBytes / 64);
  EXPECT_EQ(Reclaimer::limit(4096), Reclaimer::kShardBytesMin);
}

}  // namespace
}  // namespace vigil::maps::internal
