// SPDX-License-Identifier: Apache-2.0
//
// The golden values come from other programs, so that a changed value is a broken promise to every
// running server and not a matter of opinion:
//   xxh3    printf %s TEXT | xxhsum -H3        (xxhash 0.8.1)
//   md5-8   printf %s TEXT | md5sum            (coreutils 9.1), the first 16 digits
//   crc32   python3 -c 'import zlib, sys; print(hex(zlib.crc32(sys.argv[1].encode())))' TEXT
#include "vigil/base/hash.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil {
namespace {

struct Golden {
  std::string text;
  std::uint64_t xxh3;
  std::uint64_t md5_8;
  std::uint64_t crc32;
};

const std::vector<Golden>& golden_values() {
  static const std::vector<Golden> values = {
      {"", 0x2d06800538d394c2, 0xd41d8cd98f00b204, 0x00000000},
      {"a", 0xe6c632b61e964e1f, 0x0cc175b9c0f1b6a8, 0xe8b7be43},
      {"order:1", 0x53277ab0d9abfc1a, 0xd6c473fff6b62d0b, 0xe530fb79},
      {"ORD-20240115-000042", 0x304577fda2aaeaa9, 0x235dfc771e38df51, 0x3d13fd25},
      {"订单-20240115-000042", 0x8bfab4af0747b8ab, 0x58a57ecb82c754f6, 0x4cbda682},
      {"The quick brown fox jumps over the lazy dog", 0xce7d19a5418fb365, 0x9e107d9d372bb682,
       0x414fa339},
      {std::string(300, 'x'), 0xa5d1b4607dc83554, 0x8a4876ea55d998a5, 0x1b432d13},
  };
  return values;
}

TEST(HashTest, GoldenValuesNeverChange) {
  for (const Golden& golden : golden_values()) {
    EXPECT_EQ(stable_hash(HashAlgorithm::kXxh3, golden.text), golden.xxh3) << golden.text;
    EXPECT_EQ(stable_hash(HashAlgorithm::kMd5, golden.text), golden.md5_8) << golden.text;
    EXPECT_EQ(stable_hash(HashAlgorithm::kCrc32, golden.text), golden.crc32) << golden.text;
  }
}

TEST(HashTest, EveryNameIsParsedBack) {
  for (const HashAlgorithm algorithm :
       {HashAlgorithm::kXxh3, HashAlgorithm::kMd5, HashAlgorithm::kCrc32}) {
    const Result<HashAlgorithm> parsed = parse_hash_algorithm(hash_algorithm_name(algorithm));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, algorithm);
  }
}

TEST(HashTest, UnknownNameIsAnErrorThatListsTheChoices) {
  const Result<HashAlgorithm> parsed = parse_hash_algorithm("sha1");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().message, "unknown hash algorithm 'sha1': use xxh3, md5-8 or crc32");
}

TEST(HashTest, SeedChangesTheSeededHash) {
  EXPECT_NE(seeded_hash("order:1", 1), seeded_hash("order:1", 2));
  EXPECT_EQ(seeded_hash("order:1", 1), seeded_hash("order:1", 1));
}

// Pearson's statistic of `ids` over 64 shards. It has 63 degrees of freedom, so a uniform hash
// exceeds 113 once in 10,000 sets of ids; the ids are fixed, so the test has one outcome.
double chi_square(HashAlgorithm algorithm, const std::vector<std::string>& ids) {
  constexpr std::size_t kShards = 64;
  std::vector<double> counts(kShards, 0.0);
  for (const std::string& id : ids) counts[stable_hash(algorithm, id) % kShards] += 1.0;
  const double expected = static_cast<double>(ids.size()) / kShards;
  double sum = 0;
  for (const double count : counts) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

TEST(HashTest, ChineseIdsSpreadOverShardsAsEvenlyAsAscii) {
  constexpr int kIds = 64'000;
  std::vector<std::string> ascii;
  std::vector<std::string> chinese;
  for (int i = 0; i < kIds; ++i) {
    ascii.push_back("order-" + std::to_string(i * 7919));
    chinese.push_back("订单编号-" + std::to_string(i * 7919) + "-待支付");
  }
  for (const HashAlgorithm algorithm : {HashAlgorithm::kXxh3, HashAlgorithm::kMd5}) {
    EXPECT_LT(chi_square(algorithm, ascii), 113) << hash_algorithm_name(algorithm);
    EXPECT_LT(chi_square(algorithm, chinese), 113) << hash_algorithm_name(algorithm);
  }
}

}  // namespace
}  // namespace vigil
