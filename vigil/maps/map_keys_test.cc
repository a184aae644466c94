// SPDX-License-Identifier: Apache-2.0
//
// Keys of every kind, over every map: those that do not equal themselves, and those that a peer
// chose in order that they collide.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory_resource>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "vigil/maps/map_family_test.h"

namespace vigil {
namespace {

using maps::testing::Case;
using maps::testing::InlineEntries;

template <class C>
class MapKeysTest : public ::testing::Test {
 protected:
  template <class Key, class Value = int>
  using Map = typename C::template MapOf<Key, Value>;
};
using OneOfEach = ::testing::Types<Case<maps::testing::ShardedFamily, InlineEntries>,
                                   Case<maps::testing::ReadMostlyFamily, InlineEntries>,
                                   Case<maps::testing::StripedFamily, InlineEntries>,
                                   Case<maps::testing::RwFamily, InlineEntries>,
                                   Case<maps::testing::SnapshotFamily, InlineEntries>,
                                   Case<maps::testing::CheckedFamily, InlineEntries>>;
TYPED_TEST_SUITE(MapKeysTest, OneOfEach);

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// --- Keys that do not equal themselves, as std::unordered_map treats them ------------------------

template <class M>
int entries_seen(const M& map) {
  int seen = 0;
  map.for_each([&seen](const auto&, const auto&) { ++seen; });
  return seen;
}

TYPED_TEST(MapKeysTest, AKeyUnequalToItselfIsNeverFoundAndAddedEachTime) {
  typename TestFixture::template Map<double> map;
  EXPECT_TRUE(map.insert(kNan, 1));
  EXPECT_TRUE(map.insert(kNan, 2));
  EXPECT_TRUE(map.insert_or_assign(kNan, 3));
  EXPECT_FALSE(map.contains(kNan));
  EXPECT_FALSE(map.erase(kNan));
  EXPECT_EQ(map.size(), 3U);
  EXPECT_EQ(entries_seen(map), 3);
  map.check_invariants();
}

TYPED_TEST(MapKeysTest, AKeyUnequalToItselfIsErasedByAPredicate) {
  typename TestFixture::template Map<double> map;
  map.insert(1.0, 1);
  for (int i = 2; i <= 40; ++i) map.insert(kNan, i);
  EXPECT_EQ(map.erase_if([](const double&, const int& n) { return n % 2 == 0; }), 20U);
  EXPECT_EQ(map.size(), 20U);
  EXPECT_EQ(entries_seen(map), 20);
  map.check_invariants();
  EXPECT_EQ(map.erase_if([](const double&, const int&) { return true; }), 20U);
  EXPECT_EQ(entries_seen(map), 0);
  map.clear();
  EXPECT_EQ(map.size(), 0U);
  map.check_invariants();
}

TYPED_TEST(MapKeysTest, KeysUnequalToThemselvesSurviveGrowthAndGoWithClear) {
  typename TestFixture::template Map<double> map;
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 40; ++i) map.insert(i, i);
    map.insert(kNan, round);
    EXPECT_EQ(map.erase_if([](const double&, const int&) { return true; }), 41U);
  }
  for (int i = 0; i < 300; ++i) map.insert(kNan, i);
  map.check_invariants();
  EXPECT_EQ(entries_seen(map), 300);
  map.clear();
  EXPECT_TRUE(map.empty());
}

TEST(ShardedMapKeysTest, ASweepRemovesExpiredKeysUnequalToThemselves) {
  ShardedMap<double, int> map;
  for (int i = 0; i < 300; ++i) map.insert(kNan, i, Deadline::at_unix_ms(1));
  for (int i = 0; i < 10; ++i) map.insert(kNan, i);
  EXPECT_EQ(map.sweep(2, 1'000'000).expired, 300U);
  EXPECT_EQ(map.size(), 10U);
  EXPECT_EQ(map.stats().with_deadline, 0U);
  map.check_invariants();
}

TYPED_TEST(MapKeysTest, ZerosOfBothSignsAreOneKey) {
  typename TestFixture::template Map<double> map;
  EXPECT_TRUE(map.insert(0.0, 1));
  EXPECT_FALSE(map.insert(-0.0, 2));
}

// --- Chosen keys -------------------------------------------------------------------------------

// Texts that MurmurHash64A (libstdc++'s std::hash) maps to one value whatever its seed: pairs of
// 8-byte blocks whose mixed values differ in the top bit only, twice in a row.
class ChosenText {
 public:
  static constexpr int kBits = 11;

  static std::string bytes(std::uint64_t choice) {
    std::string text;
    for (std::uint64_t bit = 0; bit < kBits; ++bit) {
      const std::uint64_t base = 0x0123456789abcdefULL + bit;
      const std::uint64_t flip = (choice >> bit & 1) << 63;
      for (const std::uint64_t block : {unmixed(base ^ flip), unmixed(base * 3 ^ flip)}) {
        text.append(reinterpret_cast<const char*>(&block), sizeof(block));
      }
    }
    return text;
  }

 private:
  static constexpr std::uint64_t kMultiplier = 0xc6a4a7935bd1e995ULL;
  static std::uint64_t inverse(std::uint64_t a) {
    std::uint64_t x = a;
    for (int i = 0; i < 6; ++i) x *= 2 - a * x;
    return x;
  }
  static std::uint64_t unmixed(std::uint64_t k) {
    k *= inverse(kMultiplier);
    k ^= k >> 47;
    return k * inverse(kMultiplier);
  }
};

// How many hash values the chosen texts have.
template <class Key>
std::size_t hash_values() {
  const DefaultHash<Key> hash(17);
  std::unordered_set<std::uint64_t> values;
  for (std::uint64_t choice = 0; choice < std::uint64_t{1} << ChosenText::kBits; ++choice) {
    const std::string bytes = ChosenText::bytes(choice);
    using Unit = typename Key::value_type;
    const std::vector<Unit> units = [&bytes] {
      std::vector<Unit> result(bytes.size() / sizeof(Unit));
      std::memcpy(result.data(), bytes.data(), bytes.size());
      return result;
    }();
    values.insert(hash(Key(units.data(), units.size())));
  }
  return values.size();
}

TEST(DefaultHashTest, TextsChosenToCollideDoNotWhateverTheirCharacterType) {
  constexpr std::size_t kAll = std::size_t{1} << ChosenText::kBits;
  EXPECT_EQ(hash_values<std::string_view>(), kAll);
  EXPECT_EQ(hash_values<std::u8string>(), kAll);
  EXPECT_EQ(hash_values<std::u16string>(), kAll);
  EXPECT_EQ(hash_values<std::u16string_view>(), kAll);
  EXPECT_EQ(hash_values<std::u32string>(), kAll);
  EXPECT_EQ(hash_values<std::wstring>(), kAll);
  EXPECT_EQ(hash_values<std::wstring_view>(), kAll);
  EXPECT_EQ(hash_values<std::pmr::string>(), kAll);
  EXPECT_EQ(hash_values<std::pmr::u16string>(), kAll);
}

// The seed takes part: two seeds give two values.
template <class Key>
bool is_seeded(const Key& key) {
  return DefaultHash<Key>(1)(key) != DefaultHash<Key>(2)(key);
}

enum class Colour : std::uint8_t { kRed = 3 };

TEST(DefaultHashTest, EveryTriviallyHashableKeyIsSeeded) {
  EXPECT_TRUE(is_seeded(std::u16string(u"key")));
  EXPECT_TRUE(is_seeded(std::wstring_view(L"key")));
  EXPECT_TRUE(is_seeded(17));
  EXPECT_TRUE(is_seeded('a'));
  EXPECT_TRUE(is_seeded(true));
  EXPECT_TRUE(is_seeded(Colour::kRed));
  EXPECT_TRUE(is_seeded(1.5F));
  EXPECT_TRUE(is_seeded(1.5));
  EXPECT_TRUE(is_seeded(1.5L));
  EXPECT_TRUE(is_seeded(static_cast<const void*>("")));
  EXPECT_TRUE(is_seeded(std::array<std::uint8_t, 16>{1, 2, 3}));
  EXPECT_TRUE(is_seeded(nullptr));
}

__extension__ using Wide = unsigned __int128;
__extension__ using SignedWide = __int128;

TEST(DefaultHashTest, AllBitsOfAWideIntegerCount) {
  const DefaultHash<Wide> hash(17);
  EXPECT_NE(hash(Wide{1}), hash(Wide{1} << 64 | 1));
  EXPECT_NE(hash(Wide{1} << 64), hash(Wide{1} << 65));
  const DefaultHash<SignedWide> signed_hash(17);
  EXPECT_NE(signed_hash(-1), signed_hash(SignedWide{1} << 64));
}

TYPED_TEST(MapKeysTest, WideIntegersAndArraysAreKeys) {
  typename TestFixture::template Map<Wide> wide;
  typename TestFixture::template Map<std::array<std::uint8_t, 16>> identifiers;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(wide.insert(Wide{1} << i, i));
    ASSERT_TRUE(identifiers.insert({1, static_cast<std::uint8_t>(i)}, i));
  }
  EXPECT_EQ(wide.get(Wide{1} << 77), 77);
  EXPECT_EQ(identifiers.get({1, 77}), 77);
  wide.check_invariants();
  identifiers.check_invariants();
}

TEST(DefaultHashTest, EqualFloatsHaveOneHashValue) {
  EXPECT_EQ(DefaultHash<double>(17)(0.0), DefaultHash<double>(17)(-0.0));
  EXPECT_EQ(DefaultHash<float>(17)(0.0F), DefaultHash<float>(17)(-0.0F));
  EXPECT_EQ(DefaultHash<long double>(17)(0.0L), DefaultHash<long double>(17)(-0.0L));
}

}  // namespace
}  // namespace vigil
