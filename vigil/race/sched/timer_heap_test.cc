// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/timer_heap.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <utility>

#include "vigil/race/sched/random.h"

namespace vigil::race {
namespace {

TEST(TimerHeapTest, EqualDeadlinesFireInTheOrderOfSetting) {
  auto heap = std::make_unique<TimerHeap>();
  for (const TimerId timer : {5U, 1U, 3U}) heap->set(timer, 100);
  for (const TimerId timer : {5U, 1U, 3U}) {
    EXPECT_EQ(heap->earliest(), timer);
    heap->cancel(timer);
  }
  EXPECT_TRUE(heap->empty());
}

TEST(TimerHeapTest, CancellingWhatIsNotSetChangesNothing) {
  auto heap = std::make_unique<TimerHeap>();
  heap->set(1, 10);
  heap->cancel(2);
  EXPECT_EQ(heap->earliest(), 1U);
}

TEST(TimerHeapTest, BehavesLikeAnOrderedMapUnderRandomOperations) {
  auto heap = std::make_unique<TimerHeap>();
  std::map<std::pair<std::uint64_t, std::uint64_t>, TimerId> model;
  std::map<TimerId, std::pair<std::uint64_t, std::uint64_t>> set;
  Random random(20260101);
  for (std::uint64_t step = 0; step < 20000; ++step) {
    const TimerId timer = random.below(200);
    if (set.contains(timer)) model.erase(set[timer]);
    set.erase(timer);
    if (random.one_in(3)) {
      heap->cancel(timer);
    } else {
      const std::uint64_t deadline_ns = random.below(1000);
      heap->set(timer, deadline_ns);
      set[timer] = {deadline_ns, step};
      model[set[timer]] = timer;
    }
    ASSERT_EQ(heap->empty(), model.empty());
    if (!model.empty()) {
      ASSERT_EQ(heap->earliest(), model.begin()->second) << "step " << step;
      ASSERT_EQ(heap->earliest_deadline_ns(), model.begin()->first.first);
    }
    ASSERT_TRUE(step % 100 != 0 || heap->check_invariants()) << "step " << step;
  }
}

}  // namespace
}  // namespace vigil::race
