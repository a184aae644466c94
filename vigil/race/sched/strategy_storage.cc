// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/strategy_storage.h"

#include <new>

#include "vigil/race/sched/pct.h"
#include "vigil/race/sched/pos.h"
#include "vigil/race/sched/random_walk.h"
#include "vigil/race/sched/round_robin.h"
#include "vigil/race/sched/surw.h"

namespace vigil::race {
namespace {

// One in four of each kind that is good at something else.
constexpr StrategyKind kPortfolio[] = {StrategyKind::kRandomWalk, StrategyKind::kPct,
                                       StrategyKind::kPos, StrategyKind::kSurw};

}  // namespace

Strategy* StrategyStorage::begin(StrategyKind kind, const StrategySettings& settings) {
  static_assert(sizeof(Pct) <= kBytes && sizeof(Pos) <= kBytes);
  static_assert(sizeof(Surw) <= kBytes && sizeof(RandomWalk) <= kBytes);
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

}  // namespace vigil::race
