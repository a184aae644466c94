// SPDX-License-Identifier: Apache-2.0
//
// Drives the two sides of the group protocol by hand, one step at a time, to show that a reader
// notices every interference, however unlikely the timing.
#include "vigil/maps/internal/group.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>

namespace vigil::maps::internal {
namespace {

using Layout = SlotLayout<1, false, 2>;

class GroupTest : public ::testing::Test {
 protected:
  static constexpr std::uint8_t kTag = 0x42;
  static constexpr std::array<std::uint64_t, 2> kNewValue = {8, 9};

  std::unique_ptr<Word[]> metadata_ = std::make_unique<Word[]>(2);
  std::unique_ptr<Word[]> slots_ = std::make_unique<Word[]>(kSlotsPerGroup * Layout::kSlotWords);
  Groups<Layout> groups_{reinterpret_cast<char*>(metadata_.get()),
                         reinterpret_cast<char*>(slots_.get())};
};

// Both halves of the metadata: tags 0..7 lie in one word, 8..11 beside the sequence.
class GroupSlotTest : public GroupTest, public ::testing::WithParamInterface<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(FirstAndSecondWord, GroupSlotTest, ::testing::Values(0U, 7U, 8U, 11U));

TEST_P(GroupSlotTest, AFilledSlotIsFoundByItsTag) {
  groups_.fill(0, GetParam(), kTag, {1, 2, 3});
  EXPECT_EQ(groups_.load_view(0).tags.match(kTag).bits(), 1U << GetParam());
  EXPECT_EQ(groups_.read_slot(0, GetParam()), (SlotWords<Layout>{1, 2, 3}));
}

// The reader took the sequence when the slot was already free: only the insertion itself is left
// to tell it that what it copies may be half of one entry and half of another.
TEST_P(GroupSlotTest, InsertionIntoAFreeSlotInterruptsAReaderOfThatGroup) {
  groups_.fill(0, GetParam(), kTag, {1, 2, 3});
  groups_.vacate(0, GetParam());
  const Control seen = groups_.load_view(0).control;
  groups_.fill(0, GetParam(), kTag, {4, 5, 6});
  EXPECT_FALSE(groups_.still_at(0, seen));
}

TEST_P(GroupSlotTest, ReuseOfASlotInterruptsAReaderThatMatchedItsOldTag) {
  groups_.fill(0, GetParam(), kTag, {1, 2, 3});
  const Control seen = groups_.load_view(0).control;
  groups_.vacate(0, GetParam());
  groups_.fill(0, GetParam(), kTag, {4, 5, 6});
  EXPECT_FALSE(groups_.still_at(0, seen));
}

TEST_P(GroupSlotTest, OverwritingInterruptsAReader) {
  groups_.fill(0, GetParam(), kTag, {1, 2, 3});
  const Control seen = groups_.load_view(0).control;
  const std::uint64_t value[] = {8, 9};
  groups_.overwrite(0, GetParam(), Layout::kValueAt, value, 2);
  EXPECT_FALSE(groups_.still_at(0, seen));
  EXPECT_EQ(groups_.read_slot(0, GetParam()), (SlotWords<Layout>{1, 8, 9}));
}

TEST_P(GroupSlotTest, ErasingInterruptsAReader) {
  groups_.fill(0, GetParam(), kTag, {1, 2, 3});
  const Control seen = groups_.load_view(0).control;
  groups_.vacate(0, GetParam());
  EXPECT_FALSE(groups_.still_at(0, seen));
  EXPECT_FALSE(groups_.load_view(0).tags.match_used());
}

TEST_P(GroupSlotTest, EmptyingAGroupForRecyclingInterruptsAReader) {
  groups_.fill(0, GetParam(), kTag, {1, 2, 3});
  const Control seen = groups_.load_view(0).control;
  groups_.vacate_all(0);
  EXPECT_FALSE(groups_.still_at(0, seen));
  EXPECT_FALSE(groups_.load_view(0).tags.match_used());
}

TEST_P(GroupSlotTest, AValueIsReplacedInAGroupThatIsAsItWasSeen) {
  groups_.fill(0, GetParam(), kTag, {1, 2, 3});
  const Control seen = groups_.load_view(0).control;
  EXPECT_TRUE(groups_.replace_value(0, GetParam(), seen, kNewValue.data()));
  EXPECT_EQ(groups_.read_slot(0, GetParam()), (SlotWords<Layout>{1, 8, 9}));
  EXPECT_FALSE(groups_.still_at(0, seen));
  EXPECT_FALSE(groups_.load_view(0).control.writing());
}

TEST_P(GroupSlotTest, NoValueIsReplacedAfterAnyChangeOfTheGroup) {
  groups_.fill(0, GetParam(), kTag, {1, 2, 3});
  groups_.add_overflow(0);
  const auto replace_after = [this](auto&& change) {
    const Control seen = groups_.load_view(0).control;
    change();
    return groups_.replace_value(0, GetParam(), seen, kNewValue.data());
  };
  const std::uint64_t value[] = {4, 5};
  const auto overwrite = [&] { groups_.overwrite(0, GetParam(), Layout::kValueAt, value, 2); };
  EXPECT_FALSE(replace_after(overwrite));
  EXPECT_FALSE(replace_after([&] { groups_.fill(0, 3, kTag, {6, 7, 8}); }));
  EXPECT_FALSE(replace_after([&] { groups_.vacate(0, 3); }));
  EXPECT_FALSE(replace_after([&] { groups_.freeze(0); }));
  EXPECT_FALSE(replace_after([&] { groups_.thaw(0); }));
  EXPECT_EQ(groups_.read_slot(0, GetParam()), (SlotWords<Layout>{1, 4, 5}));
  EXPECT_FALSE(replace_after([&] { groups_.vacate_all(0); }));
}

TEST_F(GroupTest, NoValueIsReplacedInAFrozenGroupWhichItsHolderChanges) {
  groups_.fill(0, 2, kTag, {1, 2, 3});
  groups_.freeze(0);
  groups_.freeze(0);
  EXPECT_FALSE(groups_.replace_value(0, 2, groups_.load_view(0).control, kNewValue.data()));
  groups_.overwrite(0, 2, Layout::kValueAt, kNewValue.data(), 2);
  groups_.add_overflow(0);
  EXPECT_TRUE(groups_.load_view(0).control.frozen());
  groups_.thaw(0);
  groups_.thaw(0);
  EXPECT_FALSE(groups_.load_view(0).control.frozen());
  EXPECT_EQ(groups_.load_view(0).control.overflow(), 1U);
  EXPECT_EQ(groups_.read_slot(0, 2), (SlotWords<Layout>{1, 8, 9}));
}

TEST_F(GroupTest, FreezingDoesNotInterruptReaders) {
  groups_.fill(0, 2, kTag, {1, 2, 3});
  const Control seen = groups_.load_view(0).control;
  groups_.freeze(0);
  EXPECT_TRUE(groups_.still_at(0, seen));
  groups_.thaw(0);
  EXPECT_TRUE(groups_.still_at(0, seen));
}

TEST_F(GroupTest, EmptyingAGroupThawsIt) {
  groups_.freeze(0);
  groups_.vacate_all(0);
  EXPECT_FALSE(groups_.load_view(0).control.frozen());
}

TEST_F(GroupTest, NoValueIsReplacedWhileSomebodyWrites) {
  groups_.fill(0, 3, kTag, {1, 2, 3});
  metadata_[1].store(metadata_[1].load() + Control::kSequenceStep);
  const Control seen = groups_.load_view(0).control;
  EXPECT_FALSE(groups_.replace_value(0, 3, seen, kNewValue.data()));
}

TEST_F(GroupTest, AReaderThatStartsDuringAWriteIsInterrupted) {
  groups_.fill(0, 3, kTag, {1, 2, 3});
  metadata_[1].store(metadata_[1].load() + Control::kSequenceStep);
  const Control seen = groups_.load_view(0).control;
  EXPECT_TRUE(seen.writing());
  EXPECT_FALSE(groups_.still_at(0, seen));
  metadata_[1].store(metadata_[1].load() + Control::kSequenceStep);
  EXPECT_FALSE(groups_.still_at(0, seen));
}

TEST_P(GroupSlotTest, WhoFindsAnEntryInAnOpenGroupIsInterruptedUntilItIsClosed) {
  groups_.fill(0, GetParam(), kTag, {1, 2, 3});
  const Control before = groups_.load_view(0).control;
  groups_.open(0);
  groups_.open(0);  // once more is nothing
  EXPECT_FALSE(groups_.still_at(0, before));
  const auto meanwhile = groups_.load_view(0);
  EXPECT_FALSE(groups_.still_at(0, meanwhile.control));
  groups_.overwrite_open(0, GetParam(), 1, kNewValue.data(), 2);
  EXPECT_FALSE(groups_.replace_value(0, GetParam(), meanwhile.control, kNewValue.data()));
  groups_.close(0);
  const auto after = groups_.load_view(0);
  EXPECT_TRUE(groups_.still_at(0, after.control));
  EXPECT_FALSE(after.control.frozen());
  EXPECT_EQ(groups_.read_slot(0, GetParam()), (SlotWords<Layout>{1, 8, 9}));
}

TEST_P(GroupSlotTest, AnOpenGroupTakesEntriesAndGivesThemAway) {
  groups_.open(0);
  groups_.fill_open(0, GetParam(), kTag, {1, 2, 3});
  groups_.add_overflow_open(0);
  EXPECT_EQ(groups_.load_view(0).tags.match(kTag).bits(), 1U << GetParam());
  EXPECT_FALSE(groups_.still_at(0, groups_.load_view(0).control)) << "seen, but not to be read yet";
  groups_.close(0);
  EXPECT_TRUE(groups_.still_at(0, groups_.load_view(0).control));
  EXPECT_EQ(groups_.load_view(0).control.overflow(), 1U);
  groups_.open(0);
  groups_.vacate_open(0, GetParam());
  groups_.close(0);
  EXPECT_EQ(groups_.load_view(0).tags.match_used().bits(), 0U);
}

TEST_F(GroupTest, ClosingAGroupThatIsNotOpenThawsIt) {
  groups_.freeze(0);
  const Control seen = groups_.load_view(0).control;
  groups_.close(0);
  EXPECT_FALSE(groups_.load_view(0).control.frozen());
  EXPECT_TRUE(groups_.still_at(0, seen));
}

TEST_P(GroupSlotTest, AGroupAtRestHasAnEvenSequence) {
  groups_.fill(0, GetParam(), kTag, {1, 2, 3});
  EXPECT_FALSE(groups_.load_view(0).control.writing());
  groups_.vacate(0, GetParam());
  EXPECT_FALSE(groups_.load_view(0).control.writing());
}

TEST_F(GroupTest, OverflowCountsUpAndDown) {
  groups_.add_overflow(0);
  groups_.add_overflow(0);
  groups_.remove_overflow(0);
  EXPECT_EQ(groups_.load_view(0).control.overflow(), 1U);
}

TEST_F(GroupTest, OverflowSticksAtItsMaximum) {
  for (int i = 0; i < 20; ++i) groups_.add_overflow(0);
  groups_.remove_overflow(0);
  EXPECT_EQ(groups_.load_view(0).control.overflow(), Control::kOverflowMax);
}

TEST_F(GroupTest, OverflowDoesNotInterruptReaders) {
  const Control seen = groups_.load_view(0).control;
  groups_.add_overflow(0);
  EXPECT_TRUE(groups_.still_at(0, seen));
}

TEST_F(GroupTest, TheSequenceWrapsWithoutTouchingTagsOrOverflow) {
  groups_.fill(0, 9, kTag, {1, 2, 3});
  groups_.add_overflow(0);
  // Two steps before the wrap.
  metadata_[1].store(metadata_[1].load() | 0xFFFFFFC0'00000000U);
  groups_.fill(0, 10, kTag, {4, 5, 6});
  const auto view = groups_.load_view(0);
  EXPECT_EQ(view.tags.match(kTag).bits(), 3U << 9);
  EXPECT_EQ(view.control.overflow(), 1U);
  EXPECT_FALSE(view.control.writing());
}

}  // namespace
}  // namespace vigil::maps::internal
