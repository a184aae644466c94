// SPDX-License-Identifier: Apache-2.0
#include "vigil/table/reserved_memory.h"

#include <gtest/gtest.h>

#include <utility>

namespace vigil::table {
namespace {

ReservedMemory reserve(std::size_t bytes) {
  return std::move(ReservedMemory::reserve(bytes)).value();
}

TEST(ReservedMemoryTest, IsZeroAlignedAndAtLeastAsLargeAsAsked) {
  const ReservedMemory memory = reserve(5000);
  EXPECT_GE(memory.size(), 5000U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.data()) % ReservedMemory::kAlignment, 0U);
  EXPECT_EQ(memory.data()[4999], 0);
}

TEST(ReservedMemoryTest, DiscardedPagesReadAsZeroAndCanBeWrittenAgain) {
  ReservedMemory memory = reserve(1 << 20);
  memory.data()[8192] = 7;
  memory.discard(8192, 4096);
  EXPECT_EQ(memory.data()[8192], 0);
  memory.data()[8192] = 8;
  EXPECT_EQ(memory.data()[8192], 8);
}

TEST(ReservedMemoryTest, DiscardKeepsPagesThatAreNotWhollyInside) {
  ReservedMemory memory = reserve(1 << 20);
  memory.data()[4095] = 1;
  memory.data()[12288] = 2;
  memory.discard(1, 12290);
  EXPECT_EQ(memory.data()[4095], 1);
  EXPECT_EQ(memory.data()[12288], 2);
}

TEST(ReservedMemoryTest, PopulatedPagesKeepWhatTheyHold) {
  ReservedMemory memory = reserve(1 << 20);
  memory.data()[5000] = 3;
  memory.populate(4500, 100'000);
  EXPECT_EQ(memory.data()[5000], 3);
  EXPECT_EQ(memory.data()[100'000], 0);
}

TEST(ReservedMemoryTest, MovingHandsTheRangeOver) {
  ReservedMemory memory = reserve(4096);
  memory.data()[0] = 9;
  const ReservedMemory other = std::move(memory);
  EXPECT_EQ(other.data()[0], 9);
}

TEST(ReservedMemoryTest, AnImpossibleSizeIsAnErrorThatSaysWhatToCheck) {
  const Result<ReservedMemory> memory = ReservedMemory::reserve(std::size_t{1} << 60);
  ASSERT_FALSE(memory);
  EXPECT_NE(memory.error().message.find("overcommit"), std::string::npos);
}

TEST(ReservedMemoryDeathTest, ARangeOutsideOfTheReservationIsStopped) {
  ReservedMemory memory = reserve(4096);
  EXPECT_DEATH(memory.discard(memory.size(), 1), "outside of the reservation");
  EXPECT_DEATH(memory.populate(memory.size(), 1), "outside of the reservation");
}

}  // namespace
}  // namespace vigil::table
