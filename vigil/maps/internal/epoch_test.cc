// SPDX-License-Identifier: Apache-2.0
#include "vigil/table/epoch.h"

#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "vigil/maps/internal/node.h"

namespace vigil::maps::internal {
namespace {

struct Counted final : Node {
  explicit Counted(int& counter) : destroyed(counter) {}
  ~Counted() override { ++destroyed; }
  int& destroyed;
};

table::EpochDomain& domain() { return table::EpochDomain::process(); }

TEST(EpochTest, AdvancesWhenNobodyReads) {
  const std::uint64_t before = domain().epoch();
  EXPECT_TRUE(domain().try_advance());
  EXPECT_EQ(domain().epoch(), before + 1);
}

TEST(EpochTest, AReaderOfThisEpochHoldsUpTheNextButOne) {
  const table::EpochGuard guard;
  EXPECT_TRUE(domain().try_advance());
  EXPECT_FALSE(domain().try_advance());
}

TEST(EpochTest, InnerGuardsChangeNothing) {
  const table::EpochGuard guard;
  { const table::EpochGuard inner; }
  EXPECT_TRUE(domain().try_advance());
  EXPECT_FALSE(domain().try_advance()) << "the outer guard was forgotten";
}

TEST(EpochTest, ReadersOnOtherThreadsCount) {
  std::latch inside(1);
  std::latch leave(1);
  std::thread reader([&] {
    const table::EpochGuard guard;
    inside.count_down();
    leave.wait();
  });
  inside.wait();
  EXPECT_TRUE(domain().try_advance());
  EXPECT_FALSE(domain().try_advance());
  leave.count_down();
  reader.join();
  EXPECT_TRUE(domain().try_advance());
}

TEST(LimboTest, ANodeIsDestroyedAfterTwoAdvancesAndNotBefore) {
  int destroyed = 0;
  Limbo limbo;
  static_cast<void>(limbo.retire(new Counted(destroyed)));
  { const Garbage garbage = limbo.take_some(); }
  EXPECT_EQ(destroyed, 0);
  ASSERT_TRUE(domain().try_advance());
  { const Garbage garbage = limbo.take_some(); }
  EXPECT_EQ(destroyed, 0);
  ASSERT_TRUE(domain().try_advance());
  { const Garbage garbage = limbo.take_some(); }
  EXPECT_EQ(destroyed, 1);
  EXPECT_EQ(limbo.size(), 0U);
}

TEST(LimboTest, ANodeOutlivesTheGuardThatMayHoldIt) {
  int destroyed = 0;
  Limbo limbo;
  {
    const table::EpochGuard guard;
    static_cast<void>(limbo.retire(new Counted(destroyed)));
    for (int i = 0; i < 5; ++i) static_cast<void>(domain().try_advance());
    { const Garbage garbage = limbo.take_all_ready(); }
    EXPECT_EQ(destroyed, 0);
  }
  for (int i = 0; i < 3; ++i) static_cast<void>(domain().try_advance());
  { const Garbage garbage = limbo.take_all_ready(); }
  EXPECT_EQ(destroyed, 1);
}

TEST(LimboTest, OneWriteDestroysFew) {
  int destroyed = 0;
  Limbo limbo;
  for (int i = 0; i < 100; ++i) static_cast<void>(limbo.retire(new Counted(destroyed)));
  for (int i = 0; i < 3; ++i) static_cast<void>(domain().try_advance());
  { const Garbage garbage = limbo.take_some(); }
  EXPECT_EQ(destroyed, static_cast<int>(Limbo::kDestroyedPerWrite));
}

TEST(LimboTest, ItsEndDestroysEverything) {
  int destroyed = 0;
  {
    Limbo limbo;
    for (int i = 0; i < 10; ++i) {
      static_cast<void>(limbo.retire(new Counted(destroyed)));
      static_cast<void>(domain().try_advance());
    }
  }
  EXPECT_EQ(destroyed, 10);
}

}  // namespace
}  // namespace vigil::maps::internal
