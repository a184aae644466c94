// SPDX-License-Identifier: Apache-2.0
//
// One page without scripts or other files: a plot per key, entries, distribution and threads, with
// the share of reads from left to right and a line per map.
#include <algorithm>
#include <array>
#include <cstdio>

#include "vigil/tools/bench/maps/results.h"

namespace vigil::tools {
namespace {

constexpr double kWidth = 300;
constexpr double kHeight = 180;
constexpr double kMargin = 36;
// Okabe and Ito's palette, which colour-blind readers can tell apart.
constexpr std::array<const char*, 8> kColors = {"#0072B2", "#56B4E9", "#D55E00", "#E69F00",
                                                "#CC79A7", "#009E73", "#000000", "#999933"};

template <class... Values>
void append(std::string& text, const char* format, Values... values) {
  std::array<char, 512> line{};
  std::snprintf(line.data(), line.size(), format, values...);
  text += line.data();
}

using Cells = std::vector<MixCell>;

bool same_plot(const MixCell& a, const MixCell& b) {
  return a.key == b.key && a.entries == b.entries && a.threads == b.threads &&
         a.distribution == b.distribution;
}

const char* color_of(const std::vector<std::string>& names, const std::string& name) {
  const auto index = std::find(names.begin(), names.end(), name) - names.begin();
  return kColors[static_cast<std::size_t>(index) % kColors.size()];
}

void append_axes(std::string& html, const MixCell& first, double top) {
  append(html, "<figure><figcaption>%s, %llu entries, %s, %u thread%s</figcaption>\n",
         first.key.c_str(), static_cast<unsigned long long>(first.entries),
         first.distribution.c_str(), first.threads, first.threads == 1 ? "" : "s");
  append(html, "<svg viewBox='0 0 %g %g' width='%g' height='%g' role='img'>\n",
         kWidth + 2 * kMargin, kHeight + 2 * kMargin, kWidth + 2 * kMargin, kHeight + 2 * kMargin);
  append(html, "<path d='M%g %gV%gH%g' fill='none' stroke='#444'/>\n", kMargin, kMargin,
         kMargin + kHeight, kMargin + kWidth);
  append(html, "<text x='%g' y='%g'>%.0f Mops/s</text>\n", 2.0, kMargin - 8, top);
  append(html, "<text x='%g' y='%g'>0 %% reads</text>\n", kMargin, kMargin + kHeight + 16);
  append(html, "<text x='%g' y='%g' text-anchor='end'>100 %%</text>\n", kMargin + kWidth,
         kMargin + kHeight + 16);
}

void append_plot(std::string& html, const Cells& cells, const std::vector<std::string>& names) {
  double top = 1;
  for (const MixCell& cell : cells) top = std::max(top, cell.mops);
  append_axes(html, cells.front(), top);
  for (const std::string& name : names) {
    std::string points;
    for (const MixCell& cell : cells) {
      if (cell.map != name) continue;
      append(points, "%.1f,%.1f ", kMargin + kWidth * cell.read_percent / 100,
             kMargin + kHeight * (1 - cell.mops / top));
    }
    append(html, "<polyline fill='none' stroke-width='2' stroke='%s' points='",
           color_of(names, name));
    html += points;
    append(html, "'><title>%s</title></polyline>\n", name.c_str());
  }
  html += "</svg></figure>\n";
}

}  // namespace

std::string to_html(const MapsResults& results) {
  std::vector<std::string> names;
  for (const MixCell& cell : results.cells) {
    if (std::find(names.begin(), names.end(), cell.map) == names.end()) names.push_back(cell.map);
  }
  std::string html =
      "<!doctype html><meta charset='utf-8'><title>vigil bench maps</title>\n<style>body{"
      "font:14px sans-serif;margin:2em}figure{display:inline-block;margin:8px}svg text{"
      "font-size:12px}b{margin-right:1.5em}pre{overflow-x:auto}</style>\n<h1>vigil bench maps</h1>";
  html += "<p>" + results.machine + "</p>\n<p>";
  for (const std::string& name : names) {
    append(html, "<b style='color:%s'>&#9632; %s</b>\n", color_of(names, name), name.c_str());
  }
  html += "</p>\n";
  Cells rest = results.cells;
  while (!rest.empty()) {
    const MixCell first = rest.front();
    const auto end = std::stable_partition(
        rest.begin(), rest.end(), [&](const MixCell& cell) { return same_plot(cell, first); });
    append_plot(html, Cells(rest.begin(), end), names);
    rest.erase(rest.begin(), end);
  }
  return html + "<pre>" + to_table(results) + "</pre>\n";
}

}  // namespace vigil::tools
