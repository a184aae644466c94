// SPDX-License-Identifier: Apache-2.0
#include "vigil/table/tag_group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace vigil::table {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::uint32_t> positions(BitMask mask) {
  std::vector<std::uint32_t> result;
  for (const std::uint32_t position : mask) result.push_back(position);
  return result;
}

TEST(TagGroupTest, MatchFindsEveryPositionOfATagInAscendingOrder) {
  TagGroup<16>::Word words[2]{};
  for (const std::uint32_t i : {15U, 0U, 8U, 7U}) TagGroup<16>::store_tag(words, i, 0xAB);
  TagGroup<16>::store_tag(words, 3, 0xAC);
  EXPECT_THAT(positions(TagGroup<16>::load(words).match(0xAB)), ElementsAre(0, 7, 8, 15));
}

TEST(TagGroupTest, BytesBeyondTheTagsNeverMatch) {
  TagGroup<12>::Word words[2]{};
  words[1].store(0x01010101'00000000U);
  EXPECT_THAT(positions(TagGroup<12>::load(words).match(1)), IsEmpty());
  EXPECT_EQ(TagGroup<12>::load(words).match_free().count(), 12U);
}

TEST(TagGroupTest, StoringATagLeavesTheOthersAlone) {
  TagGroup<12>::Word words[2]{};
  for (std::uint32_t i = 0; i < 12; ++i) {
    TagGroup<12>::store_tag(words, i, static_cast<std::uint8_t>(i + 1));
  }
  TagGroup<12>::store_tag(words, 5, TagGroup<12>::kFree);
  for (std::uint32_t i = 0; i < 12; ++i) {
    EXPECT_EQ(TagGroup<12>::tag_at(words, i), i == 5 ? 0 : i + 1);
  }
}

TEST(TagGroupTest, ThePatternOfAHashMatchesTheTagOfItsByte) {
  for (std::uint64_t bits = 0; bits < 256; ++bits) {
    const TagGroup<16> group(std::uint64_t{tag_from_bits(static_cast<std::uint8_t>(bits))} << 8, 0);
    const std::uint64_t hash = 0xAB00FFFFFF | bits << 24;
    EXPECT_EQ(group.match(TagPattern::from_hash<3>(hash)).bits(), 2U);
  }
}

TEST(TagGroupTest, NoHashGivesTheTagOfAFreeSlot) {
  for (int bits = 0; bits < 256; ++bits) {
    EXPECT_NE(tag_from_bits(static_cast<std::uint8_t>(bits)), TagGroup<12>::kFree);
  }
}

}  // namespace
}  // namespace vigil::table
