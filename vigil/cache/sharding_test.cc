// SPDX-License-Identifier: Apache-2.0
//
// Skew: how evenly the named hashes spread order ids over the shards, whatever the ids look like.
// Prints the chi-square statistic of every combination; deterministic.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/cache/cache.h"

namespace vigil::cache {
namespace {

constexpr std::uint32_t kShards = 64;
constexpr std::uint32_t kIds = 64 * 1000;
// 63 degrees of freedom; an even spread exceeds this once in a thousand tries.
constexpr double kChiSquareLimit = 103.4;

struct Family {
  const char* name;
  std::string (*id)(std::uint32_t);
};

const std::array<Family, 4> kFamilies{{
    {"sequential", [](std::uint32_t i) { return std::to_string(100'000'000 + i); }},
    {"dated ASCII",
     [](std::uint32_t i) {
       return "PAY-20261123-" + std::to_string(i % 97) + "-" + std::to_string(i);
     }},
    {"random hex",
     [](std::uint32_t i) {
       std::array<char, 17> text{};
       std::snprintf(text.data(), text.size(), "%016llx",
                     static_cast<unsigned long long>(Random(i)()));
       return std::string(text.data());
     }},
    {"UTF-8 Chinese", [](std::uint32_t i) { return "订单-支付-" + std::to_string(i) + "-号"; }},
}};

double chi_square(const Cache& cache, const Family& family) {
  std::vector<double> counts(kShards);
  for (std::uint32_t i = 0; i < kIds; ++i) ++counts[cache.key(family.id(i)).shard];
  const double expected = double{kIds} / kShards;
  double sum = 0;
  for (const double count : counts) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

TEST(ShardingTest, EveryAlgorithmSpreadsEveryKindOfIdEvenly) {
  for (const char* name : {"xxh3", "md5-8", "crc32"}) {
    const Cache cache({.shards = kShards, .hash = *parse_hash_algorithm(name)});
    for (const Family& family : kFamilies) {
      const double statistic = chi_square(cache, family);
      std::printf("%-6s %-14s chi-square %6.1f (limit %.1f)\n", name, family.name, statistic,
                  kChiSquareLimit);
      EXPECT_LT(statistic, kChiSquareLimit) << name << " over " << family.name;
    }
  }
}

TEST(ShardingTest, DoublingTheShardsSendsAKeyToItsShardOrToTheOneAHalfFurther) {
  const Cache small({.shards = 64});
  const Cache large({.shards = 128});
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const std::string id = kFamilies[3].id(i);
    EXPECT_EQ(large.key(id).shard % 64, small.key(id).shard);
  }
}

}  // namespace
}  // namespace vigil::cache
