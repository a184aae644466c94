// SPDX-License-Identifier: Apache-2.0
//
// One picture without scripts, fonts or other files: a panel per load, two beside each other, with
// a bar per map, the fastest on top. Vigil's maps have the colour, peers are grey. Colours follow
// the reader's scheme; a background of its own keeps it readable where the page does not.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "vigil/text/xml.h"
#include "vigil/tools/bench/maps/results.h"

namespace vigil::tools {
namespace {

constexpr double kWidth = 860;
constexpr double kMargin = 20;
constexpr double kHeader = 74;  // title and legend
constexpr double kFooter = 30;  // the machine
constexpr double kPanelWidth = 400;
constexpr double kLineHeight = 17;
constexpr double kPanelHead = 65;  // two lines of caption, and the labels of the axis
constexpr double kBarPitch = 24;
constexpr double kBarHeight = 16;
constexpr double kNameWidth = 136;   // of a panel, for the maps' names
constexpr double kNumberWidth = 48;  // behind the longest bar
constexpr double kBarsWidth = kPanelWidth - kNameWidth - kNumberWidth;

constexpr const char* kStyle = R"(<style>
text{font:13px system-ui,sans-serif;fill:#1f2328}
.title{font-size:17px;font-weight:600}.caption,.own{font-weight:600}.name{text-anchor:end}
.value{stroke:#fff;stroke-width:3px;paint-order:stroke}
.quiet{fill:#59636e;font-size:12px}
.paper{fill:#fff}.bar{fill:#a8b1bb}.bar.own{fill:#0969da}.axis{stroke:#d1d9e0}
@media(prefers-color-scheme:dark){
text{fill:#f0f6fc}.quiet{fill:#9198a1}.value{stroke:#0d1117}
.paper{fill:#0d1117}.bar{fill:#656c76}.bar.own{fill:#4493f8}.axis{stroke:#3d444d}}
</style>
)";

using Cells = std::vector<MixCell>;

template <class... Values>
void append(std::string& text, const char* format, Values... values) {
  std::array<char, 512> line{};
  std::snprintf(line.data(), line.size(), format, values...);
  text += line.data();
}

std::string with_commas(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t end = text.size(); end > 3; end -= 3) text.insert(end - 3, ",");
  return text;
}

// "u64 keys, uniform", "string16 keys, zipf": what differs between neighbours in a picture.
std::string keys_of(const MixCell& load) { return load.key + " keys, " + load.distribution; }

std::string mix_of(const MixCell& load) {
  return with_commas(load.entries) + " entries, " + std::to_string(load.read_percent) +
         " % reads, " + std::to_string(load.threads) + (load.threads == 1 ? " thread" : " threads");
}

// 1, 2 or 5 times a power of ten, so that at most five steps reach `top`.
double axis_step(double top) {
  const double unit = std::pow(10, std::floor(std::log10(top / 5)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * unit * 5 >= top) return factor * unit;
  }
  return 10 * unit;
}

// The cells by load, each load's fastest first.
std::vector<Cells> panels_of(const Cells& cells) {
  std::vector<Cells> panels;
  for (const MixCell& cell : cells) {
    const auto panel = std::find_if(panels.begin(), panels.end(), [&](const Cells& other) {
      return other.front().same_load(cell);
    });
    if (panel == panels.end()) {
      panels.push_back({cell});
    } else {
      panel->push_back(cell);
    }
  }
  for (Cells& panel : panels) {
    std::stable_sort(panel.begin(), panel.end(),
                     [](const MixCell& a, const MixCell& b) { return a.mops > b.mops; });
  }
  return panels;
}

double height_of(const Cells& panel) {
  return kPanelHead + kBarPitch * static_cast<double>(panel.size()) + kMargin;
}

void append_axis(std::string& svg, double x, double y, const Cells& panel, double scale) {
  const double step = axis_step(std::max(panel.front().mops, 0.001));
  for (int i = 0; step * i <= panel.front().mops; ++i) {
    const double at = x + kNameWidth + step * i * scale;
    append(svg, "<path class='axis' d='M%.1f %.1fV%.1f'/>", at, y + kPanelHead - 4,
           y + height_of(panel) - kMargin);
    append(svg, "<text class='quiet' text-anchor='middle' x='%.1f' y='%.1f'>%g</text>\n", at,
           y + kPanelHead - 9, step * i);
  }
}

void append_bar(std::string& svg, double x, double y, const MixCell& cell, double scale) {
  const char* own = cell.peer ? "" : " own";
  const double middle = y + kBarHeight - 4;
  append(svg, "<text class='name%s' x='%.1f' y='%.1f'>", own, x + kNameWidth - 8, middle);
  svg += text::xml_text(cell.map) + "</text>";
  append(svg, "<rect class='bar%s' x='%.1f' y='%.1f' width='%.1f' height='%g' rx='2'/>", own,
         x + kNameWidth, y, cell.mops * scale, kBarHeight);
  append(svg, "<text class='value%s' x='%.1f' y='%.1f'>%.1f</text>\n", own,
         x + kNameWidth + cell.mops * scale + 6, middle, cell.mops);
}

void append_panel(std::string& svg, double x, double y, const Cells& panel) {
  const double scale = kBarsWidth / std::max(panel.front().mops, 0.001);
  append(svg, "<text class='caption' x='%.1f' y='%.1f'>", x, y + 14);
  svg += text::xml_text(keys_of(panel.front())) + "</text>";
  append(svg, "<text class='quiet' x='%.1f' y='%.1f'>", x, y + kLineHeight + 14);
  svg += text::xml_text(mix_of(panel.front())) + "</text>\n";
  append_axis(svg, x, y, panel, scale);
  for (std::size_t i = 0; i < panel.size(); ++i) {
    append_bar(svg, x, y + kPanelHead + kBarPitch * static_cast<double>(i), panel[i], scale);
  }
}

// What a screen reader says: the best on both sides of each load.
std::string description_of(const std::vector<Cells>& panels) {
  std::string text = "Million operations per second.";
  for (const Cells& panel : panels) {
    text += " " + keys_of(panel.front()) + ", " + mix_of(panel.front()) + ":";
    for (const MixCell& cell : panel) append(text, " %s %.1f,", cell.map.c_str(), cell.mops);
    text.back() = '.';
  }
  return text;
}

void append_legend(std::string& svg, double y) {
  append(svg, "<rect class='bar own' x='%g' y='%g' width='12' height='12'/>", kMargin, y - 11);
  append(svg, "<text x='%g' y='%g'>vigil</text>", kMargin + 18, y);
  append(svg, "<rect class='bar' x='%g' y='%g' width='12' height='12'/>", kMargin + 64, y - 11);
  append(svg, "<text x='%g' y='%g'>packaged peers</text>", kMargin + 82, y);
  append(svg,
         "<text class='quiet' text-anchor='end' x='%g' y='%g'>million operations per second, all "
         "threads together; longer is better</text>\n",
         kWidth - kMargin, y);
}

}  // namespace

std::string to_svg(const MapsResults& results) {
  const std::vector<Cells> panels = panels_of(results.cells);
  std::string body;
  double y = kHeader;
  for (std::size_t i = 0; i < panels.size(); i += 2) {
    append_panel(body, kMargin, y, panels[i]);
    double height = height_of(panels[i]);
    if (i + 1 < panels.size()) {
      append_panel(body, kWidth / 2 + kMargin / 2, y, panels[i + 1]);
      height = std::max(height, height_of(panels[i + 1]));
    }
    y += height;
  }
  const double height = y + kFooter;
  std::string svg;
  append(svg,
         "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %g %g' width='%g' height='%g' "
         "role='img' aria-labelledby='title desc'>\n",
         kWidth, height, kWidth, height);
  svg += "<title id='title'>vigil's maps and packaged peers</title>\n<desc id='desc'>" +
         text::xml_text(description_of(panels)) + "</desc>\n" + kStyle;
  append(svg, "<rect class='paper' width='%g' height='%g'/>\n", kWidth, height);
  append(svg, "<text class='title' x='%g' y='30'>vigil's maps and packaged peers</text>\n",
         kMargin);
  append_legend(svg, 54);
  svg += body;
  append(svg, "<text class='quiet' x='%g' y='%g'>vigil bench maps; ", kMargin, height - 14);
  return svg + text::xml_text(results.machine) + "</text>\n</svg>\n";
}

}  // namespace vigil::tools
