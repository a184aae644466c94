// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/strategy.h"

#include <new>

#include "vigil/race/sched/pct.h"
#include "vigil/race/sched/pos.h"
#include "vigil/race/sched/random_walk.h"
#include "vigil/race/sched/round_robin.h"
#include "vigil/race/sched/surw.h"

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

// One in four of each kind that is good at something else.
constexpr StrategyKind kPortfolio[] = {StrategyKind::kRandomWalk, StrategyKind::kPct,
                                       StrategyKind::kPos, StrategyKind::kSurw};

}  // namespace

// Not pure: a pure function would need the C++ library's support in C programs.
TaskId Strategy::next_task(const Situation& /*situation*/) { __builtin_trap(); }
void Strategy::task_added(TaskId /*task*/) {}
void Strategy::demote(TaskId /*task*/) {}

std::uint32_t Strategy::next_choice(const Situation& /*situation*/, std::uint32_t count) {
  return random_.below(count);
}

Strategy* StrategyRoom::begin(StrategyKind kind, const StrategySettings& settings) {
  static_assert(sizeof(Pct) <= kRoomSize && sizeof(Pos) <= kRoomSize);
  static_assert(sizeof(Surw) <= kRoomSize && sizeof(RandomWalk) <= kRoomSize);
  switch (kind) {
    case StrategyKind::kRoundRobin:
      return new (bytes_) RoundRobin(settings);
    case StrategyKind::kPct:
      return new (bytes_) Pct(settings);
    case StrategyKind::kPos:
      return new (bytes_) Pos(settings);
    case StrategyKind::kSurw:
      return new (bytes_) Surw(settings);
    case StrategyKind::kPortfolio:
      return begin(portfolio_member(settings.seed), settings);
    case StrategyKind::kRandomWalk:
    case StrategyKind::kReplay:
      break;
  }
  return new (bytes_) RandomWalk(settings);
}

StrategyKind portfolio_member(std::uint64_t seed) {
  return kPortfolio[seed % (sizeof kPortfolio / sizeof kPortfolio[0])];
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
