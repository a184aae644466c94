// SPDX-License-Identifier: Apache-2.0
#include "vigil/maps/internal/key_codec.h"

#include <gtest/gtest.h>

#include <bit>
#include <map>
#include <string>

#include "vigil/maps/default_hash.h"

namespace vigil::maps::internal {
namespace {

using StringCodec = KeyCodec<std::string, DefaultHash<std::string>, std::equal_to<std::string>>;

std::string bytes(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += static_cast<char>('a' + i % 26);
  return text;
}

TEST(InlineStringTest, EverySizeUpTo23SurvivesTheRoundTrip) {
  for (std::size_t size = 0; size <= InlineString::kBytesMax; ++size) {
    const auto words = InlineString::encode(bytes(size));
    EXPECT_EQ(InlineString::decode(words.data()), bytes(size));
    EXPECT_FALSE(InlineString::is_long(words.data()));
  }
}

TEST(InlineStringTest, TrailingZeroBytesMakeADifference) {
  const std::string_view with_zero("ab\0", 3);
  EXPECT_NE(InlineString::encode("ab"), InlineString::encode(with_zero));
  EXPECT_EQ(InlineString::decode(InlineString::encode(with_zero).data()), with_zero);
}

TEST(InlineStringTest, BytesOver127Survive) {
  EXPECT_EQ(InlineString::decode(InlineString::encode("订单编号").data()), "订单编号");
}

TEST(StringKeyTest, KeysOver23BytesLieInANodeAndKeepTheirHash) {
  const StringCodec codec({}, {});
  const std::string key = bytes(24);
  const StringCodec::Probe probe(codec, key);
  const auto prepared = probe.prepare();
  EXPECT_NE(StringCodec::node(prepared.words.data()), nullptr);
  EXPECT_EQ(codec.stored_hash(prepared.words.data()), probe.hash());
  EXPECT_TRUE(probe.confirm(prepared.words.data()));
  const std::string other = bytes(25);
  EXPECT_FALSE(StringCodec::Probe(codec, other).confirm(prepared.words.data()));
}

TEST(StringKeyTest, AShortKeyThatLooksLikeALongOnesWordsIsNotTakenForIt) {
  const StringCodec codec({}, {});
  const std::string key = bytes(24);
  const auto prepared = StringCodec::Probe(codec, key).prepare();
  Word slot[3];
  for (int i = 0; i < 3; ++i) slot[i].store(prepared.words[static_cast<std::size_t>(i)]);
  const std::string fake(reinterpret_cast<const char*>(prepared.words.data()), 23);
  EXPECT_FALSE(StringCodec::Probe(codec, fake).may_match(slot));
}

TEST(HashTest, AWeakHashIsSpreadOverAllBits) {
  // Sequential identities must differ in the bits that choose shard, segment and group.
  std::map<std::uint64_t, int> low;
  std::map<std::uint64_t, int> high;
  for (std::uint64_t i = 0; i < 4096; ++i) {
    const std::uint64_t hash = finished_hash<std::hash<std::uint64_t>>(i);
    ++low[hash & 63];
    ++high[hash >> 58];
  }
  for (const auto& counts : {low, high}) {
    ASSERT_EQ(counts.size(), 64U);
    for (const auto& [bits, count] : counts) EXPECT_LT(count, 128) << bits;
  }
}

TEST(HashTest, DefaultHashDiffersFromMapToMap) {
  EXPECT_NE(DefaultHash<std::uint64_t>()(1), DefaultHash<std::uint64_t>()(1));
  EXPECT_NE(DefaultHash<std::string>()("a"), DefaultHash<std::string>()("a"));
}

}  // namespace
}  // namespace vigil::maps::internal
