// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/detect/cell.h"

#include <gtest/gtest.h>

namespace vigil::race {
namespace {

TEST(CellTest, KeepsEveryFieldApart) {
  const Cell cell =
      cell_base(kSlots - 1, kEpochMax) | kReadCell | cell_bytes(2, 4) | Cell{0xabcdef};
  EXPECT_EQ(slot_of(cell), kSlots - 1);
  EXPECT_EQ(epoch_of(cell), kEpochMax);
  EXPECT_EQ(stack_of(cell), 0xabcdefU);
  EXPECT_EQ(bytes_of(cell), 0b0011'1100);
  EXPECT_TRUE(is_read(cell));
  EXPECT_FALSE(is_atomic(cell));
  EXPECT_FALSE(is_freed(cell));
  EXPECT_EQ(moment_of(cell), moment(kSlots - 1, kEpochMax));
}

TEST(CellTest, CutsBytesAtTheEndOfTheWord) {
  EXPECT_EQ(bytes_of(cell_bytes(6, 4)), 0b1100'0000);
  EXPECT_EQ(slot_of(cell_bytes(6, 4)), 0U);
}

TEST(CellTest, TwoReadsOrTwoAtomicsDoNotConflict) {
  EXPECT_FALSE(conflict(kReadCell, kReadCell));
  EXPECT_FALSE(conflict(kAtomicCell, kAtomicCell));
  EXPECT_FALSE(conflict(kReadCell | kAtomicCell, kAtomicCell));
  EXPECT_TRUE(conflict(kReadCell, 0));
  EXPECT_TRUE(conflict(kAtomicCell, 0));
  EXPECT_TRUE(conflict(kAtomicCell, kReadCell));
}

TEST(CellTest, APlainWriteIsAsStrongAsEverything) {
  for (const Cell weak : {Cell{0}, kReadCell, kAtomicCell, kReadCell | kAtomicCell}) {
    EXPECT_TRUE(as_strong(0, weak));
    EXPECT_EQ(as_strong(weak, 0), weak == 0);
  }
}

}  // namespace
}  // namespace vigil::race
