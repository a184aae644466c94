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

TEST(MapsCommandTest, ADistributionLeavesOutTheOther) {
  const Result<MapsOptions> options = parse({"--distribution", "zipf", "--svg", "maps.svg"});
  ASSERT_TRUE(options);
  EXPECT_THAT(options->mixes.distributions, ElementsAre(Distribution::kZipf));
  EXPECT_EQ(options->svg_file, "maps.svg");
  EXPECT_FALSE(parse({"--distribution", "normal"}));
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

TEST(MapsCommandTest, AFilledMapHasTheKeysOfItsSet) {
  const KeySet<std::uint64_t> keys(sizeof(std::uint64_t));
  for (const MapEntry& entry : all_maps()) {
    const auto map = entry.make<std::uint64_t>();
    map->fill(keys, 100);
    BenchValue value;
    ASSERT_TRUE(map->read(keys.key(99), value)) << entry.name;
    EXPECT_EQ(value.state, 99U) << entry.name;
    EXPECT_FALSE(map->read(keys.key(100), value)) << entry.name;
  }
}

TEST(MapsCommandTest, AMixOfReadsIncludesTheMapThatIsOnlyRead) {
  const MixPlan plan{.key_bytes = {8},
                     .entries = {10},
                     .read_percents = {100, 90},
                     .threads = {1},
                     .distributions = {Distribution::kUniform},
                     .repeats = 1,
                     .duration = std::chrono::milliseconds(1)};
  Registry maps = all_maps();
  std::erase_if(maps, [](const MapEntry& map) { return !map.reads_only; });
  ASSERT_FALSE(maps.empty());
  MapsResults results;
  measure_mixes(
      plan, maps, [](const std::string&, double) {}, results);
  ASSERT_EQ(results.cells.size(), maps.size());
  EXPECT_EQ(results.cells[0].read_percent, 100U);
}

TEST(MapsCommandTest, CellsOfGoAreReadBackAndNonsenseIsRefused) {
  const auto cells = parse_go_cells("Go sync.Map\tstring16\t1000\t95\t2\tzipf\t12.5\n");
  ASSERT_TRUE(cells);
  ASSERT_EQ(cells->size(), 1U);
  EXPECT_EQ((*cells)[0].map, "Go sync.Map");
  EXPECT_TRUE((*cells)[0].peer);
  EXPECT_TRUE((*cells)[0].same_load({"", "string16", 1'000, 95, 2, "zipf"}));
  EXPECT_DOUBLE_EQ((*cells)[0].mops, 12.5);
  EXPECT_FALSE(parse_go_cells("panic: out of memory\n"));
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
  const auto count = [&](const auto& is) {
    return static_cast<std::size_t>(std::count_if(maps.begin(), maps.end(), is));
  };
  const std::size_t limits = count([](const MapEntry& map) { return map.one_thread_only(); });
  const std::size_t reads_only = count([](const MapEntry& map) { return map.reads_only; });
  EXPECT_EQ(results.cells.size(), 2 * (maps.size() - limits - reads_only));
  EXPECT_EQ(results.limits.size(), limits) << "one thread only";
  for (const MixCell& cell : results.cells) EXPECT_GT(cell.mops, 0) << cell.map;
}

}  // namespace
}  // namespace vigil::tools
