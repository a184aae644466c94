// SPDX-License-Identifier: Apache-2.0
#include "vigil/table/hazard.h"

#include <gtest/gtest.h>

#include <latch>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <vector>

namespace vigil::table {
namespace {

HazardDomain& domain() { return HazardDomain::process(); }

std::multiset<const void*> in_use() {
  std::multiset<const void*> objects;
  domain().for_each_in_use([&](const void* object, pid_t) { objects.insert(object); });
  return objects;
}

TEST(HazardTest, WhatAGuardProtectsIsInUseUntilItEnds) {
  const int key = 0;
  const int value = 0;
  {
    HazardGuard guard(domain());
    EXPECT_TRUE(in_use().empty());
    guard.protect<0>(&key);
    guard.protect<1>(&value);
    EXPECT_EQ(in_use(), (std::multiset<const void*>{&key, &value}));
  }
  EXPECT_TRUE(in_use().empty());
}

TEST(HazardTest, ProtectingAgainReplaces) {
  const int first = 0;
  const int second = 0;
  HazardGuard guard(domain());
  guard.protect<0>(&first);
  guard.protect<0>(&second);
  EXPECT_EQ(in_use(), std::multiset<const void*>{&second});
}

TEST(HazardTest, AnInnerGuardLeavesTheOuterAlone) {
  const int outer_object = 0;
  const int inner_object = 0;
  HazardGuard outer(domain());
  outer.protect<0>(&outer_object);
  {
    HazardGuard inner(domain());
    inner.protect<0>(&inner_object);
    EXPECT_EQ(in_use().size(), 2U);
  }
  EXPECT_EQ(in_use(), std::multiset<const void*>{&outer_object});
}

TEST(HazardTest, OtherThreadsCountAndAreNamed) {
  const int object = 0;
  std::latch inside(1);
  std::latch leave(1);
  pid_t reader = 0;
  std::thread thread([&] {
    HazardGuard guard(domain());
    guard.protect<0>(&object);
    reader = gettid();
    inside.count_down();
    leave.wait();
  });
  inside.wait();
  pid_t named = 0;
  domain().for_each_in_use([&](const void*, pid_t thread_id) { named = thread_id; });
  EXPECT_EQ(named, reader);
  leave.count_down();
  thread.join();
  EXPECT_TRUE(in_use().empty());
}

void read_once() { HazardGuard guard(domain()); }

TEST(HazardTest, ThreadsThatEndedLeaveTheirHazardsToOthers) {
  std::thread(read_once).join();
  const std::size_t before = domain().hazards();
  for (int i = 0; i < 100; ++i) std::thread(read_once).join();
  EXPECT_EQ(domain().hazards(), before);
}

// Reads when the destructors of its thread run, before or after that of the hazards.
struct ReadsLate {
  ~ReadsLate() { read_once(); }
};

TEST(HazardTest, WhatAThreadReadsWhileItEndsIsLeftToOthersAsWell) {
  const auto late_thread = [](bool reads_before) {
    if (reads_before) read_once();
    static thread_local ReadsLate late;
    static_cast<void>(late);
    if (!reads_before) read_once();
  };
  std::thread(late_thread, true).join();
  std::thread(late_thread, false).join();
  const std::size_t before = domain().hazards();
  for (int i = 0; i < 100; ++i) std::thread(late_thread, i % 2 == 0).join();
  EXPECT_EQ(domain().hazards(), before);
}

TEST(HazardTest, ALentHazardOutlivesItsThread) {
  const int object = 0;
  Hazard* lent = nullptr;
  std::thread([&] {
    lent = &domain().lend();
    lent->publish(0, &object);
  }).join();
  EXPECT_EQ(in_use(), std::multiset<const void*>{&object});
  lent->clear(0);
  HazardDomain::give_back(*lent);
  EXPECT_TRUE(in_use().empty());
  const std::size_t before = domain().hazards();
  HazardDomain::give_back(domain().lend());
  EXPECT_EQ(domain().hazards(), before);
}

// An object is unlinked, the barrier passed, and what no hazard names is destroyed, while readers
// protect it and look again: the protocol of the header, which the sanitizers watch.
TEST(HazardTest, AReaderNeverUsesADestroyedObject) {
  std::atomic<int*> linked{new int(1)};
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  std::atomic<std::int64_t> sum{0};
  for (int n = 0; n < 2; ++n) {
    readers.emplace_back([&] {
      while (!stop.load(std::memory_order_relaxed)) {
        HazardGuard guard(domain());
        int* object = nullptr;
        do {
          object = linked.load(std::memory_order_acquire);
          guard.protect<0>(object);
        } while (object != linked.load(std::memory_order_acquire));
        ASSERT_EQ(*object, 1);
        sum.fetch_add(*object, std::memory_order_relaxed);
      }
    });
  }
  std::vector<std::unique_ptr<int>> unlinked;
  for (int i = 0; i < 3'000; ++i) {
    unlinked.emplace_back(linked.exchange(new int(1), std::memory_order_acq_rel));
    domain().barrier();
    const std::multiset<const void*> used = in_use();
    std::erase_if(unlinked, [&](const auto& object) {
      if (used.contains(object.get())) return false;
      *object = 0;
      return true;
    });
    EXPECT_LE(unlinked.size(), 2U);
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  delete linked.load();
}

}  // namespace
}  // namespace vigil::table
