// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/bench/maps/maps_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vigil::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<MapsOptions> parse(std::vector<const char*> arguments) {
  std::string help;
  return parse_maps_options(arguments, help);
}

TEST(MapsCommandTest, WithoutArgumentsEveryCellIsMeasured) {
  const Result<MapsOptions> options = parse({});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->mixes.cells(), 2U * 3 * 6 * 4 * 2);
  EXPECT_EQ(options->growth.entries, 4'000'000U);
}

TEST(MapsCommandTest, QuickMeasuresLess) {
  const Result<MapsOptions> options = parse({"--quick", "--repeats", "7"});
  ASSERT_TRUE(options);
  EXPECT_LT(options->mixes.cells(), 60U);
  EXPECT_EQ(options->mixes.repeats, 7U);
}

TEST(MapsCommandTest, APresetChoosesTheMixes) {
  const Result<MapsOptions> options = parse({"--preset", "article", "--threads", "2"});
  ASSERT_TRUE(options);
  EXPECT_THAT(options->mixes.read_percents, ElementsAre(100, 90, 70));
  EXPECT_THAT(options->mixes.threads, ElementsAre(2));
}

TEST(MapsCommandTest, AnUnknownPresetNamesTheKnownOnes) {
  const Result<MapsOptions> options = parse({"--preset", "nine"});
  ASSERT_FALSE(options);
  EXPECT_THAT(options.error().message, HasSubstr("nine-to-one"));
}

TEST(MapsCommandTest, HelpHasAnExample) {
  std::string help;
  const std::vector<const char*> arguments = {"--help"};
  ASSERT_TRUE(parse_maps_options(arguments, help));
  EXPECT_THAT(help, HasSubstr("vigil bench maps --quick"));
}

TEST(MapsCommandTest, EveryMapAnswersWithWhatWasWritten) {
  for (const MapEntry& entry : all_maps()) {
    const auto map = entry.make<std::string>();
    BenchValue value;
    EXPECT_FALSE(map->read("order-1", value)) << entry.name;
    map->write("order-1", {1, 2});
    map->write("order-1", {3, 4});
    ASSERT_TRUE(map->read("order-1", value)) << entry.name;
    EXPECT_EQ(value.updated, 4U) << entry.name;
  }
}

TEST(MapsCommandTest, AMixGivesOneCellPerMapAndLoad) {
  MixPlan plan{.key_bytes = {8},
               .entries = {10},
               .read_percents = {50},
               .threads = {1, 2},
               .distributions = {Distribution::kZipf},
               .repeats = 1,
               .duration = std::chrono::milliseconds(1)};
  const Registry maps = all_maps();
  MapsResults results;
  measure_mixes(
      plan, maps, [](const std::string&, double) {}, results);
  const auto limits = static_cast<std::size_t>(std::count_if(
      maps.begin(), maps.end(), [](const MapEntry& map) { return map.role == Role::kLimit; }));
  EXPECT_EQ(results.cells.size(), 2 * (maps.size() - limits));
  EXPECT_EQ(results.limits.size(), limits) << "one thread only";
  for (const MixCell& cell : results.cells) EXPECT_GT(cell.mops, 0) << cell.map;
}

}  // namespace
}  // namespace vigil::tools
