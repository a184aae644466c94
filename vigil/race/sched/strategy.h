// SPDX-License-Identifier: Apache-2.0
//
// A strategy is the oracle that the scheduler asks at each point: which task goes on? It sees which
// tasks could, and what each is about to do; it never learns what the operations result in. One
// strategy per file, each citing its paper and its deviations; strategy_storage.h makes them.
//
// The clock is one of the candidates when a deadline lies ahead and may fire early. Time that moves
// only when every task waits keeps such orders as "the loader always finishes before the timer".
//
// Invariants:
//   1. The answers depend on the settings and the sequence of questions only.
//   2. next_task() returns a task of `runnable`, or kClockTask if the point offers it.
//
// Context: inside a program's threads: no allocation, no system calls. Thread safety: none; the
// token serialises. Destruction is trivial: strategies live as long as the process.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vigil/race/sched/operation.h"
#include "vigil/race/sched/random.h"

namespace vigil::race {

enum class StrategyKind : std::uint8_t {
  kPortfolio,
  kRoundRobin,
  kRandomWalk,
  kPct,
  kPos,
  kSurw,
  kReplay,
};

struct StrategySettings {
  std::uint64_t seed = 1;
  std::uint32_t depth = 3;    // of PCT: bugs that need so many ordered events
  std::uint32_t horizon = 0;  // scheduling points that a run is expected to have; 0: not known
};

// What the scheduler shows where there is a choice.
struct SchedulePoint {
  const TaskId* runnable = nullptr;  // never empty
  std::uint32_t count = 0;
  const Operation* operations = nullptr;   // by task: what each is about to do
  const std::uint32_t* numbers = nullptr;  // by task: its place in the order of creation
  const std::uint32_t* steps = nullptr;    // by task: how many points it has passed
  TaskId from = kNoTask;                   // the task that is at the point, waits or has ended
  bool from_can_go_on = false;
  bool clock_offered = false;
  std::uint64_t index = 0;  // points so far, this one included
};

class Strategy {
 public:
  virtual void task_added(TaskId task);
  // The task yields or spins: choose others first.
  virtual void demote(TaskId task);
  virtual TaskId next_task(const SchedulePoint& point);
  // One of `count` equal things for the task at the point, such as which of the waiters it wakes;
  // the first is the oldest.
  virtual std::uint32_t next_choice(const SchedulePoint& point, std::uint32_t count);

 protected:
  explicit Strategy(const StrategySettings& settings)
      : random_(settings.seed * 0x9E37'79B9'7F4A'7C15 + 1) {}
  ~Strategy() = default;

  Random random_;
};

// "portfolio", "round-robin", "random", "pct", "pos", "surw", "replay".
const char* name_of(StrategyKind kind);
// False if the name of `length` characters is none of them.
bool strategy_from_name(const char* name, std::size_t length, StrategyKind* kind);

}  // namespace vigil::race
