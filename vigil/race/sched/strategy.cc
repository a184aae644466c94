// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/strategy.h"

namespace vigil::race {
namespace {

struct Name {
  const char* text;
  StrategyKind kind;
};

constexpr Name kNames[] = {
    {"portfolio", StrategyKind::kPortfolio},
    {"round-robin", StrategyKind::kRoundRobin},
    {"random", StrategyKind::kRandomWalk},
    {"pct", StrategyKind::kPct},
    {"pos", StrategyKind::kPos},
    {"surw", StrategyKind::kSurw},
    {"replay", StrategyKind::kReplay},
};

}  // namespace

// Not pure: a pure function would need the C++ library's support in C programs.
TaskId Strategy::next_task(const SchedulePoint& /*point*/) { __builtin_trap(); }
void Strategy::task_added(TaskId /*task*/) {}
void Strategy::demote(TaskId /*task*/) {}

std::uint32_t Strategy::next_choice(const SchedulePoint& /*point*/, std::uint32_t count) {
  return random_.below(count);
}

const char* name_of(StrategyKind kind) {
  for (const Name& name : kNames) {
    if (name.kind == kind) return name.text;
  }
  return "";
}

bool strategy_from_name(const char* name, std::size_t length, StrategyKind* kind) {
  for (const Name& known : kNames) {
    std::size_t i = 0;
    while (i < length && known.text[i] == name[i] && name[i] != '\0') ++i;
    if (i != length || known.text[i] != '\0') continue;
    *kind = known.kind;
    return true;
  }
  return false;
}

}  // namespace vigil::race
