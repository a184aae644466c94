// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/detect/stack_tree.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace vigil::race {
namespace {

class StackTreeTest : public testing::Test {
 protected:
  StackTreeTest() : nodes_(1 << 16), heads_(StackTree::kHeads) {
    tree_.init(nodes_.data(), heads_.data());
  }

  std::vector<StackTree::Node> nodes_;
  std::vector<std::uint32_t> heads_;
  StackTree tree_;
};

TEST_F(StackTreeTest, TheSameStackHasTheSameNumber) {
  const std::uint32_t main_stack = tree_.push(StackTree::kEmpty, 0x100);
  const std::uint32_t leaf = tree_.push(main_stack, 0x200);
  EXPECT_EQ(tree_.push(tree_.push(StackTree::kEmpty, 0x100), 0x200), leaf);
  EXPECT_NE(tree_.push(StackTree::kEmpty, 0x200), leaf);
  EXPECT_EQ(tree_.parent(leaf), main_stack);
  EXPECT_EQ(tree_.pc(leaf), 0x200U);
}

TEST_F(StackTreeTest, RecursionCostsABoundedNumberOfNodes) {
  std::uint32_t stack = tree_.push(StackTree::kEmpty, 0x100);
  for (int depth = 0; depth < 100'000; ++depth) {
    stack = tree_.push(stack, 0x200);
    stack = tree_.push(stack, 0x300);
  }
  EXPECT_LE(tree_.size(), 4U);
}

TEST_F(StackTreeTest, TheCacheGivesWhatTheTreeGives) {
  const auto cache = std::make_unique<StackCache>();
  std::vector<std::uint32_t> first;
  for (std::uint64_t pc = 1; pc <= 5000; ++pc) first.push_back(cache->push(tree_, 0, pc));
  for (std::uint64_t pc = 1; pc <= 5000; ++pc) {
    EXPECT_EQ(cache->push(tree_, 0, pc), first[pc - 1]);
    EXPECT_EQ(tree_.push(0, pc), first[pc - 1]);
  }
}

TEST_F(StackTreeTest, ThreadsThatPushTheSameStacksAgreeOnTheirNumbers) {
  constexpr std::size_t kThreads = 4;
  std::vector<std::uint32_t> seen[kThreads];
  std::vector<std::thread> threads;
  for (auto& numbers : seen) {
    threads.emplace_back([this, &numbers] {
      for (std::uint64_t pc = 1; pc <= 2000; ++pc) {
        numbers.push_back(tree_.push(tree_.push(0, pc % 50 + 10'000), pc));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& numbers : seen) EXPECT_EQ(numbers, seen[0]);
  EXPECT_EQ(std::set(seen[0].begin(), seen[0].end()).size(), 2000U);
}

}  // namespace
}  // namespace vigil::race
