// SPDX-License-Identifier: Apache-2.0
#include "vigil/testing/linearizability.h"

#include <gtest/gtest.h>

#include "vigil/base/random.h"
#include "vigil/testing/map_entry_model.h"

namespace vigil::testing {
namespace {

using Kind = MapEntryModel::Kind;
using Checker = LinearizabilityChecker<MapEntryModel>;
using Entries = History<MapEntryModel::Operation>;

MapEntryModel::Operation got(std::optional<std::uint64_t> seen) {
  return {.kind = Kind::kGet, .seen = seen};
}
MapEntryModel::Operation assigned(std::uint64_t value, std::int64_t deadline = 0) {
  return {.kind = Kind::kAssign, .value = value, .deadline = deadline};
}
MapEntryModel::Operation inserted(std::uint64_t value, bool done) {
  return {.kind = Kind::kInsert, .value = value, .done = done};
}
MapEntryModel::Operation clock_set(std::int64_t now) {
  return {.kind = Kind::kSetClock, .deadline = now};
}

TEST(LinearizabilityTest, EmptyHistoryIsLinearizable) {
  EXPECT_TRUE(Checker::check({}).linearizable);
}

TEST(LinearizabilityTest, ReadMustSeeAWriteThatEndedBefore) {
  EXPECT_TRUE(Checker::check({{assigned(1), 0, 1}, {got(1), 2, 3}}).linearizable);
  EXPECT_FALSE(Checker::check({{assigned(1), 0, 1}, {got({}), 2, 3}}).linearizable);
}

TEST(LinearizabilityTest, ReadThatOverlapsAWriteMaySeeEitherValue) {
  EXPECT_TRUE(Checker::check({{assigned(1), 0, 10}, {got(1), 2, 3}}).linearizable);
  EXPECT_TRUE(Checker::check({{assigned(1), 0, 10}, {got({}), 2, 3}}).linearizable);
}

TEST(LinearizabilityTest, ReadersMayNotSeeTheNewValueAndThenTheOldOne) {
  EXPECT_FALSE(
      Checker::check({{assigned(1), 0, 10}, {got(1), 2, 3}, {got({}), 4, 5}}).linearizable);
  EXPECT_TRUE(Checker::check({{assigned(1), 0, 10}, {got({}), 2, 3}, {got(1), 4, 5}}).linearizable);
}

TEST(LinearizabilityTest, EqualTimesCountAsOverlap) {
  EXPECT_TRUE(Checker::check({{got(1), 0, 5}, {assigned(1), 5, 9}}).linearizable);
  EXPECT_FALSE(Checker::check({{got(1), 0, 4}, {assigned(1), 5, 9}}).linearizable);
}

TEST(LinearizabilityTest, OnlyOneOfTwoConcurrentInsertsMaySucceed) {
  EXPECT_TRUE(Checker::check({{inserted(1, true), 0, 9}, {inserted(2, false), 0, 9}}).linearizable);
  EXPECT_FALSE(Checker::check({{inserted(1, true), 0, 9}, {inserted(2, true), 0, 9}}).linearizable);
}

TEST(LinearizabilityTest, ALostUpdateIsFound) {
  const MapEntryModel::Operation add{.kind = Kind::kAdd, .value = 1, .done = true};
  EXPECT_TRUE(
      Checker::check({{assigned(0), 0, 1}, {add, 2, 5}, {add, 2, 5}, {got(2), 6, 7}}).linearizable);
  EXPECT_FALSE(
      Checker::check({{assigned(0), 0, 1}, {add, 2, 5}, {add, 2, 5}, {got(1), 6, 7}}).linearizable);
}

TEST(LinearizabilityTest, AResurrectedValueIsFound) {
  const MapEntryModel::Operation erase{.kind = Kind::kErase, .done = true};
  EXPECT_FALSE(Checker::check({{assigned(7), 0, 1}, {erase, 2, 3}, {got({}), 4, 5}, {got(7), 6, 7}})
                   .linearizable);
}

TEST(LinearizabilityTest, AnEntryIsGoneOnceTheClockPassedItsDeadline) {
  EXPECT_TRUE(Checker::check({{assigned(1, 10), 0, 1}, {clock_set(10), 2, 3}, {got({}), 4, 5}})
                  .linearizable);
  EXPECT_FALSE(Checker::check({{assigned(1, 10), 0, 1}, {clock_set(10), 2, 3}, {got(1), 4, 5}})
                   .linearizable);
}

TEST(LinearizabilityTest, ExplanationNamesTheOperationThatDoesNotFit) {
  const Verdict verdict = Checker::check({{assigned(1), 0, 1}, {got(5), 2, 3}});
  EXPECT_NE(verdict.explanation.find("get"), std::string::npos) << verdict.explanation;
  EXPECT_NE(verdict.explanation.find("value 5"), std::string::npos) << verdict.explanation;
}

// All operations overlap, so n! orders exist: only memoisation lets this end.
TEST(LinearizabilityTest, ManyOverlappingOperationsAreDecided) {
  Entries history;
  for (std::uint64_t i = 0; i < 16; ++i) history.push_back({assigned(1), 0, 100});
  history.push_back({got(2), 0, 100});
  EXPECT_FALSE(Checker::check(history).linearizable);
  history.back().operation = got(1);
  EXPECT_TRUE(Checker::check(history).linearizable);
}

// A sequential run with every interval widened stays linearizable; with one result falsified by a
// value that nobody wrote it never is.
TEST(LinearizabilityTest, WidenedSequentialRunsAreAcceptedAndFalsifiedOnesRejected) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    Entries history;
    std::optional<std::uint64_t> value;
    for (std::int64_t i = 0; i < 60; ++i) {
      MapEntryModel::Operation op = got(value);
      if (random.below(2) == 0) {
        op = assigned(random.below(5));
        value = op.value;
      }
      const auto slack = static_cast<std::int64_t>(random.below(25));
      history.push_back({op, 10 * i - slack, 10 * i + 1 + slack});
    }
    ASSERT_TRUE(Checker::check(history).linearizable) << "seed " << seed;
    history.push_back({got(99), 300, 310});
    ASSERT_FALSE(Checker::check(history).linearizable) << "seed " << seed;
  }
}

}  // namespace
}  // namespace vigil::testing
