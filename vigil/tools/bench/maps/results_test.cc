// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/bench/maps/results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vigil::tools {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Two loads; the first is won 20 to 10, the second lost 5 to 10.
MapsResults two_loads() {
  MapsResults results;
  results.machine = "a machine";
  results.cells = {
      {"Own", "u64", 1'000, 100, 1, "uniform", 20, false},
      {"Slow", "u64", 1'000, 100, 1, "uniform", 4, true},
      {"Peer", "u64", 1'000, 100, 1, "uniform", 10, true},
      {"Own", "u64", 1'000, 50, 1, "uniform", 5, false},
      {"Slow", "u64", 1'000, 50, 1, "uniform", 4, true},
      {"Peer", "u64", 1'000, 50, 1, "uniform", 10, true},
  };
  results.limits = {{"Raw", "u64", 1'000, 100, 1, "uniform", 99, false}};
  results.growth = {{"Own", 1.5, 2.5, 0.25, 0.125}};
  results.memory = {{"Own", "u64", 48.5}};
  return results;
}

TEST(MapsResultsTest, TheSummaryComparesTheBestOnBothSides) {
  const MapsSummary summary = summarize(two_loads());
  EXPECT_EQ(summary.cells, 2U);
  EXPECT_EQ(summary.cells_won, 1U);
  EXPECT_DOUBLE_EQ(summary.geomean_vs_best_peer, 1.0);
}

TEST(MapsResultsTest, TheFastestOfALoadIsMarkedAndTheLimitIsNoCandidate) {
  const std::string table = to_table(two_loads());
  EXPECT_THAT(table, HasSubstr("20.0*"));
  EXPECT_THAT(table, HasSubstr("10.0*"));
  EXPECT_THAT(table, HasSubstr("99.0 "));
  EXPECT_THAT(table, HasSubstr("1 of 2 cells"));
}

TEST(MapsResultsTest, JsonNamesEveryFigure) {
  const std::string json = to_json(two_loads());
  for (const char* name : {"machine",
                           "cells",
                           "map",
                           "key",
                           "entries",
                           "read_percent",
                           "threads",
                           "distribution",
                           "mops",
                           "peer",
                           "growth",
                           "insert_p99_us",
                           "insert_p999_us",
                           "insert_max_ms",
                           "reader_max_ms",
                           "memory",
                           "bytes_per_entry",
                           "summary",
                           "cells_won",
                           "geomean_vs_best_peer"}) {
    EXPECT_THAT(json, HasSubstr("\"" + std::string(name) + "\":"));
  }
}

TEST(MapsResultsTest, ThePageHasOnePlotPerLoadWithoutScripts) {
  const std::string html = to_html(two_loads());
  EXPECT_EQ(html.find("<svg"), html.rfind("<svg")) << "both cells lie in one plot";
  EXPECT_THAT(html, Not(HasSubstr("<script")));
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

TEST(MapsResultsTest, ThePictureHasABarPerMapAndLoadWithVigilsOwnMarked) {
  const std::string svg = to_svg(two_loads());
  EXPECT_EQ(count(svg, "class='caption'"), 2U);
  EXPECT_EQ(count(svg, "<rect class='bar'"), 4U + 1) << "peers, and the legend";
  EXPECT_EQ(count(svg, "<rect class='bar own'"), 2U + 1);
  EXPECT_LT(svg.find(">Peer<", svg.rfind("50 % reads")), svg.rfind(">Own<")) << "fastest first";
  EXPECT_THAT(svg, Not(HasSubstr("Raw"))) << "the limit is no candidate";
}

TEST(MapsResultsTest, ThePictureSaysItsFiguresToReadersOfTextAndFollowsTheScheme) {
  const std::string svg = to_svg(two_loads());
  EXPECT_THAT(svg, HasSubstr("<title id='title'>"));
  EXPECT_THAT(svg, HasSubstr("u64 keys, uniform, 1,000 entries, 100 % reads, 1 thread: Own 20.0, "
                             "Peer 10.0, Slow 4.0."));
  EXPECT_THAT(svg, HasSubstr("prefers-color-scheme:dark"));
  for (const char* foreign : {"<script", "href", "url("}) {
    EXPECT_THAT(svg, Not(HasSubstr(foreign)));
  }
}

TEST(MapsResultsTest, ThePictureIsWellFormedWhateverTheNamesAre) {
  MapsResults results = two_loads();
  results.cells.front().map = "Map<'a' & \"b\">";
  results.machine = "<1 & only>";
  const std::string svg = to_svg(results);
  EXPECT_THAT(svg, HasSubstr("Map&lt;'a' &amp; &quot;b&quot;&gt;"));
  EXPECT_THAT(svg, HasSubstr("&lt;1 &amp; only&gt;"));
  EXPECT_THAT(svg, Not(HasSubstr("Map<")));
  EXPECT_THAT(to_svg({}), HasSubstr("</svg>")) << "nothing measured";
}

}  // namespace
}  // namespace vigil::tools
