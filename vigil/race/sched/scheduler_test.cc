// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/scheduler.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "vigil/race/sched/strategy_storage.h"

namespace vigil::race {
namespace {

constexpr std::uint64_t kHour_ns = 3'600'000'000'000;

class SchedulerTest : public testing::Test {
 protected:
  void start(StrategyKind kind, std::uint64_t seed, bool real_time = false) {
    scheduler_ = std::make_unique<Scheduler>();
    scheduler_->begin(storage_->begin(kind, StrategySettings{.seed = seed}), {}, real_time);
  }
  void SetUp() override { start(StrategyKind::kRoundRobin, 1); }

  std::unique_ptr<StrategyStorage> storage_ = std::make_unique<StrategyStorage>();
  std::unique_ptr<Scheduler> scheduler_;
};

TEST_F(SchedulerTest, TimeJumpsToTheDeadlineWhenEveryoneWaits) {
  const TaskId task = scheduler_->add_task();
  scheduler_->block(task, 0, kHour_ns, "sleep", false);
  EXPECT_EQ(scheduler_->next_task(), task);
  EXPECT_EQ(scheduler_->wake_reason(task), Scheduler::Wake::kTimedOut);
  EXPECT_EQ(scheduler_->now_ns(), kHour_ns);
}

TEST_F(SchedulerTest, SleepersWakeInTheOrderOfTheirDeadlines) {
  std::vector<TaskId> tasks;
  for (int i = 0; i < 10; ++i) tasks.push_back(scheduler_->add_task());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    scheduler_->block(tasks[i], 0, kHour_ns * (10 - i), "sleep", false);
  }
  for (std::size_t i = tasks.size(); i-- > 0;) {
    EXPECT_EQ(scheduler_->next_task(), tasks[i]);
    scheduler_->finish(tasks[i]);
  }
  EXPECT_TRUE(scheduler_->check_invariants());
}

TEST_F(SchedulerTest, EveryoneWaitingWithoutADeadlineIsStuck) {
  const TaskId a = scheduler_->add_task();
  const TaskId b = scheduler_->add_task();
  scheduler_->block(a, 8, kNever, "pthread_mutex_lock", false);
  scheduler_->block(b, 16, kNever, "pthread_mutex_lock", false);
  EXPECT_EQ(scheduler_->next_task(), kNoTask);
  EXPECT_TRUE(scheduler_->stuck());
  std::vector<std::uintptr_t> objects;
  scheduler_->for_each_blocked(
      [&](TaskId, const Scheduler::Waiting& waiting) { objects.push_back(waiting.object); });
  EXPECT_EQ(objects, (std::vector<std::uintptr_t>{8, 16}));
}

TEST_F(SchedulerTest, NobodyIsStuckAndTimeStandsWhileATaskIsOutside) {
  const TaskId a = scheduler_->add_task();
  const TaskId b = scheduler_->add_task();
  scheduler_->leave(a);
  scheduler_->block(b, 0, kHour_ns, "sleep", false);
  EXPECT_EQ(scheduler_->next_task(), kNoTask);
  EXPECT_FALSE(scheduler_->stuck());
  EXPECT_LT(scheduler_->now_ns(), kHour_ns);
  scheduler_->enter(a);
  EXPECT_EQ(scheduler_->next_task(), a);
}

TEST_F(SchedulerTest, RealTimeIsNeverJumpedOver) {
  start(StrategyKind::kRandomWalk, 1, true);
  const TaskId task = scheduler_->add_task();
  scheduler_->block(task, 0, kHour_ns, "sleep", false);
  EXPECT_EQ(scheduler_->next_task(), kNoTask);
  EXPECT_EQ(scheduler_->next_deadline_ns(), kHour_ns);
  EXPECT_FALSE(scheduler_->stuck());
  scheduler_->advance_to(kHour_ns);
  EXPECT_EQ(scheduler_->next_task(), task);
}

TEST_F(SchedulerTest, WakeTakesAsManyWaitersOfThatObjectAsAsked) {
  std::vector<TaskId> waiters;
  const TaskId waker = scheduler_->add_task();
  for (int i = 0; i < 5; ++i) {
    waiters.push_back(scheduler_->add_task());
    scheduler_->block(waiters.back(), i == 4 ? 16 : 8, kNever, "pthread_cond_wait", false);
  }
  scheduler_->arrive(waker, {}, 0);
  EXPECT_EQ(scheduler_->wake(8, 3), 3U);
  EXPECT_EQ(scheduler_->wake(8, 3), 1U);
  EXPECT_EQ(scheduler_->wake(8, 1), 0U);
  EXPECT_EQ(scheduler_->wake(16, 100), 1U);
  EXPECT_TRUE(scheduler_->check_invariants());
}

TEST_F(SchedulerTest, AnyOfTheWaitersMayBeWokenFirst) {
  std::vector<int> woken(4, 0);
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    start(StrategyKind::kRandomWalk, seed);
    const TaskId waker = scheduler_->add_task();
    for (int i = 0; i < 4; ++i) {
      scheduler_->block(scheduler_->add_task(), 8, kNever, "pthread_cond_wait", false);
    }
    scheduler_->arrive(waker, {}, 0);
    scheduler_->wake(8, 1);
    scheduler_->block(waker, 16, kNever, "pthread_join", false);
    ++woken[scheduler_->next_task() - 1];
  }
  for (const int count : woken) EXPECT_GT(count, 5);
}

TEST_F(SchedulerTest, OnlyInterruptibleWaitsAreInterrupted) {
  const TaskId a = scheduler_->add_task();
  const TaskId b = scheduler_->add_task();
  scheduler_->block(a, 8, kNever, "pthread_mutex_lock", false);
  scheduler_->block(b, 8, kNever, "read", true);
  EXPECT_FALSE(scheduler_->interrupt(a));
  EXPECT_TRUE(scheduler_->interrupt(b));
  EXPECT_EQ(scheduler_->next_task(), b);
  EXPECT_EQ(scheduler_->wake_reason(b), Scheduler::Wake::kInterrupted);
}

// A waits for a flag that only B would set.
TEST_F(SchedulerTest, ASpinningTaskLetsOthersRunWhateverTheStrategy) {
  for (const StrategyKind kind : {StrategyKind::kRandomWalk, StrategyKind::kPct, StrategyKind::kPos,
                                  StrategyKind::kSurw, StrategyKind::kRoundRobin}) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      start(kind, seed);
      const TaskId spinner = scheduler_->add_task();
      const TaskId setter = scheduler_->add_task();
      TaskId running = spinner;
      int points = 0;
      for (; running != setter && points < 1000; ++points) {
        scheduler_->arrive(spinner, {PointKind::kAtomicRead, 64}, 0);
        running = scheduler_->next_task();
      }
      EXPECT_LT(points, 100) << name_of(kind) << " seed " << seed;
    }
  }
}

// The same without atomics, as with a mutex around the flag: fairness has to do it.
TEST_F(SchedulerTest, NoTaskRunsForeverAlone) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    start(StrategyKind::kPct, seed);
    const TaskId poller = scheduler_->add_task();
    const TaskId other = scheduler_->add_task();
    TaskId running = poller;
    int points = 0;
    for (; running != other && points < 100000; ++points) {
      scheduler_->arrive(poller, {PointKind::kSync, 64}, 0);
      running = scheduler_->next_task();
    }
    EXPECT_LT(points, 40000) << "seed " << seed;
  }
}

TEST_F(SchedulerTest, ALoopThatWaitsForASleeperGetsTimeToMove) {
  for (const StrategyKind kind : {StrategyKind::kRoundRobin, StrategyKind::kPct}) {
    start(kind, 3);
    const TaskId spinner = scheduler_->add_task();
    const TaskId sleeper = scheduler_->add_task();
    scheduler_->block(sleeper, 0, kHour_ns, "sleep", false);
    TaskId running = scheduler_->next_task();
    for (int points = 0; running == spinner && points < 2000; ++points) {
      scheduler_->arrive(spinner, {PointKind::kYield, 0}, 0);
      running = scheduler_->next_task();
    }
    EXPECT_EQ(running, sleeper);
  }
}

TEST_F(SchedulerTest, TasksThatOnlyYieldToEachOtherAreALivelock) {
  const TaskId a = scheduler_->add_task();
  scheduler_->add_task();
  TaskId running = a;
  for (int points = 0; points < 250'000; ++points) {
    EXPECT_FALSE(scheduler_->livelocked() && points < 100'000);
    scheduler_->arrive(running, {PointKind::kYield, 0}, 0);
    running = scheduler_->next_task();
  }
  EXPECT_TRUE(scheduler_->livelocked());
}

// Each of two polite tasks looks at the other's flag and yields.
TEST_F(SchedulerTest, LooksAtUnchangedFlagsBetweenYieldsAreNoProgress) {
  start(StrategyKind::kRandomWalk, 1);
  TaskId running = scheduler_->add_task();
  scheduler_->add_task();
  for (int points = 0; points < 250'000; ++points) {
    const PointKind kind = points % 2 == 0 ? PointKind::kAtomicRead : PointKind::kYield;
    scheduler_->arrive(running, {kind, 64 + 64 * std::uintptr_t{running}}, 1);
    running = scheduler_->next_task();
  }
  EXPECT_TRUE(scheduler_->livelocked());
}

TEST_F(SchedulerTest, TimersOfRunningTimeStandStillWhileEveryoneWaits) {
  const TaskId task = scheduler_->add_task();
  scheduler_->set_timer(0, 10'000, TimerKind::kRunning);
  scheduler_->block(task, 0, kHour_ns, "sleep", false);
  EXPECT_EQ(scheduler_->next_task(), task);
  EXPECT_EQ(scheduler_->now_ns(), kHour_ns);
  EXPECT_GT(scheduler_->next_deadline_ns(), kHour_ns);
  scheduler_->block(task, 8, kNever, "pthread_mutex_lock", false);
  EXPECT_EQ(scheduler_->next_task(), kNoTask);
  EXPECT_TRUE(scheduler_->stuck());
  EXPECT_TRUE(scheduler_->check_invariants());
}

TEST_F(SchedulerTest, EarlyDeadlinesAreBounded) {
  for (const StrategyKind kind :
       {StrategyKind::kRandomWalk, StrategyKind::kPct, StrategyKind::kPos, StrategyKind::kSurw}) {
    start(kind, 5);
    const TaskId worker = scheduler_->add_task();
    const TaskId ticker = scheduler_->add_task();
    scheduler_->block(ticker, 0, kHour_ns, "sleep", false);
    std::uint64_t worked = 0;
    for (int points = 0; points < 20000; ++points) {
      const TaskId running = scheduler_->next_task();
      if (running == worker) {
        ++worked;
        scheduler_->arrive(worker, {PointKind::kAtomicWrite, 64}, worked);
      } else {
        scheduler_->block(ticker, 0, scheduler_->now_ns() + kHour_ns, "sleep", false);
      }
    }
    EXPECT_GT(worked, 15000U) << name_of(kind);
    EXPECT_GT(scheduler_->stats().early_firings, 0U) << name_of(kind);
  }
}

// As in a spin lock with a point at every access: many steps between two looks, then a yield.
TEST_F(SchedulerTest, WhoeverSpinsDoesNotKeepTheOthersBack) {
  constexpr std::uint64_t kWork = 5'000;
  for (const StrategyKind kind :
       {StrategyKind::kRandomWalk, StrategyKind::kPct, StrategyKind::kPos, StrategyKind::kSurw}) {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
      start(kind, seed);
      const TaskId worker = scheduler_->add_task();
      for (int i = 0; i < 3; ++i) scheduler_->add_task();
      std::uint64_t worked = 0;
      std::uint64_t spun = 0;
      while (worked < kWork && spun < 200 * kWork) {
        const TaskId running = scheduler_->next_task();
        if (running == worker) {
          ++worked;
          scheduler_->arrive(worker, {PointKind::kMemoryWrite, 64 + worked % 100 * 8}, worked);
        } else if (++spun % 500 == 0) {
          scheduler_->arrive(running, {PointKind::kYield, 0}, 0);
        } else {
          scheduler_->arrive(running, {PointKind::kMemoryRead, 4096 + running * 64}, spun);
        }
      }
      ASSERT_EQ(worked, kWork) << name_of(kind) << ", seed " << seed;
    }
  }
}

TEST_F(SchedulerTest, NumbersOfTasksAreNotReusedTheirPlacesAre) {
  const TaskId main = scheduler_->add_task();
  for (std::uint32_t i = 1; i <= 3 * kTasksMax; ++i) {
    const TaskId task = scheduler_->add_task();
    ASSERT_NE(task, kNoTask);
    ASSERT_EQ(scheduler_->number_of(task), i);
    scheduler_->finish(task);
  }
  EXPECT_EQ(scheduler_->live_tasks(), 1U);
  EXPECT_EQ(scheduler_->next_task(), main);
}

TEST_F(SchedulerTest, RefusesMoreTasksThanItHasRoomFor) {
  for (std::uint32_t i = 0; i < kTasksMax; ++i) ASSERT_NE(scheduler_->add_task(), kNoTask);
  EXPECT_EQ(scheduler_->add_task(), kNoTask);
}

TEST_F(SchedulerTest, AfterAForkOnlyTheSurvivorIsLeft) {
  const TaskId main = scheduler_->add_task();
  const TaskId sleeper = scheduler_->add_task();
  scheduler_->add_task();
  const TaskId outside = scheduler_->add_task();
  scheduler_->block(sleeper, 0, kHour_ns, "sleep", false);
  scheduler_->leave(outside);
  scheduler_->keep_only(main);
  EXPECT_EQ(scheduler_->live_tasks(), 1U);
  EXPECT_EQ(scheduler_->outside(), 0U);
  EXPECT_EQ(scheduler_->next_deadline_ns(), kNever);
  EXPECT_EQ(scheduler_->next_task(), main);
  EXPECT_TRUE(scheduler_->check_invariants());
}

TEST_F(SchedulerTest, ABusyLoopOverTheClockReachesAnHour) {
  scheduler_->add_task();
  std::uint64_t looks = 0;
  while (scheduler_->look_at_clock() < 1'000'000'000) ++looks;
  EXPECT_LT(looks, 10000U);
}

// Random programs of all kinds of calls: whatever happens, the invariants hold, no task that can go
// on is forgotten, and the same seed gives the same hash.
std::uint64_t random_program(Scheduler* scheduler, std::uint64_t seed) {
  Random random(seed);
  scheduler->add_task();
  TaskId running = scheduler->next_task();
  for (int step = 0; step < 400 && running != kNoTask; ++step) {
    const std::uintptr_t object = 8 + 8 * random.below(3);
    switch (random.below(6)) {
      case 0:
        if (scheduler->live_tasks() < 20) scheduler->add_task();
        scheduler->arrive(running, {PointKind::kSync, object}, 0);
        break;
      case 1:
        scheduler->block(running, object, random.one_in(2) ? kNever : scheduler->now_ns() + 5000,
                         "wait", false);
        break;
      case 2:
        scheduler->wake(object, 1 + random.below(3));
        break;
      case 3:
        if (random.one_in(4)) scheduler->finish(running);
        break;
      default:
        scheduler->arrive(running, {PointKind::kAtomicWrite, object}, random.next());
        break;
    }
    if (scheduler->live_tasks() == 0) break;
    running = scheduler->next_task();
    EXPECT_TRUE(scheduler->check_invariants()) << "seed " << seed << " step " << step;
    EXPECT_TRUE(running != kNoTask || scheduler->stuck());
  }
  return scheduler->stats().hash;
}

TEST_F(SchedulerTest, RandomProgramsKeepTheInvariantsAndRepeat) {
  for (const StrategyKind kind : {StrategyKind::kRandomWalk, StrategyKind::kPct, StrategyKind::kPos,
                                  StrategyKind::kSurw, StrategyKind::kRoundRobin}) {
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
      start(kind, seed);
      const std::uint64_t first = random_program(scheduler_.get(), seed);
      start(kind, seed);
      EXPECT_EQ(random_program(scheduler_.get(), seed), first) << name_of(kind) << " " << seed;
    }
  }
}

}  // namespace
}  // namespace vigil::race
