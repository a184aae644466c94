// SPDX-License-Identifier: Apache-2.0
//
// What is read out of the dump of a real process that is inside its maps: this one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "vigil/maps/checked_map.h"
#include "vigil/maps/sharded_map.h"
#include "vigil/maps/snapshot_map.h"
#include "vigil/thread_dump/thread_dump.h"
#include "vigil/tools/evidence/evidence.h"

namespace vigil::tools::evidence {
namespace {

using testing::Contains;
using testing::EndsWith;
using testing::Field;
using testing::IsEmpty;
using testing::SizeIs;

// Once per process.
bool is_installed() {
  static const bool installed = install_thread_dump({}).has_value();
  return installed;
}

// The evidence in a dump made while a thread runs each of the operations, which call their argument
// from a callback.
template <class... Operations>
report::Evidence evidence_during(Operations... operations) {
  EXPECT_TRUE(is_installed());
  std::latch inside(sizeof...(operations));
  std::latch may_leave(1);
  const auto stay = [&] {
    inside.count_down();
    may_leave.wait();
  };
  std::vector<std::thread> threads;
  (threads.emplace_back([&stay, operations] { operations(stay); }), ...);
  inside.wait();
  std::istringstream dump(thread_dump_text("test"));
  may_leave.count_down();
  for (std::thread& thread : threads) thread.join();
  Result<report::Evidence> evidence = read_evidence(dump, "dump", {});
  EXPECT_TRUE(evidence);
  return evidence ? *evidence : report::Evidence();
}

auto has_state_that_ends(const std::string& end) {
  return Contains(Field("state", &report::Thread::state, EndsWith(end)));
}

TEST(MapDumpTest, EachThreadSaysItsMapAndItsOperation) {
  ShardedMap<int, int> orders({.name = "orders"});
  CheckedMap<int, int> users({.name = "users"});
  orders.insert(1, 1);
  users.insert(1, 1);
  const report::Evidence evidence =
      evidence_during([&](auto stay) { orders.update(1, [&](int&) { stay(); }); },
                      [&](auto stay) { users.for_each([&](int, int) { stay(); }); });
  EXPECT_THAT(evidence.threads,
              has_state_that_ends(" inside map write of \"orders\" (ShardedMap<int, int>)"));
  EXPECT_THAT(evidence.threads,
              has_state_that_ends(" inside map iterate of \"users\" (CheckedMap<int, int>)"));
  EXPECT_THAT(evidence.findings, IsEmpty());
}

TEST(MapDumpTest, TwoThreadsInsideAConcurrentMapAreNoCollision) {
  SnapshotMap<int, int> limits({.name = "limits"});
  limits.insert(1, 1);
  const report::Evidence evidence =
      evidence_during([&](auto stay) { limits.update(1, [&](int&) { stay(); }); },
                      [&](auto stay) { limits.visit(1, [&](int) { stay(); }); });
  EXPECT_THAT(evidence.threads,
              has_state_that_ends(" inside map write of \"limits\" (SnapshotMap<int, int>)"));
  EXPECT_THAT(evidence.threads,
              has_state_that_ends(" inside map read of \"limits\" (SnapshotMap<int, int>)"));
  EXPECT_THAT(evidence.findings, IsEmpty());
}

// The misuse is made of the mark alone: a real one would end the process.
TEST(MapDumpTest, TwoThreadsInsideAMapOfOneThreadAreACollision) {
  const MapLabel orders(&orders, "orders", "OwnMap");
  const auto marked = [&](MapOperation operation) {
    return [&orders, operation](auto stay) {
      const MapMark inside(orders, operation);
      stay();
    };
  };
  const report::Evidence evidence =
      evidence_during(marked(MapOperation::kUpdate), marked(MapOperation::kErase));
  ASSERT_THAT(evidence.findings, SizeIs(1));
  EXPECT_EQ(evidence.findings[0].kind, report::Kind::kMapWrites);
  EXPECT_EQ(evidence.findings[0].location.object, "orders");
}

}  // namespace
}  // namespace vigil::tools::evidence
