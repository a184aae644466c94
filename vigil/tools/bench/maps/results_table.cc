// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstdio>

#include "vigil/tools/bench/maps/results.h"

namespace vigil::tools {
namespace {

template <class... Values>
void append(std::string& text, const char* format, Values... values) {
  std::array<char, 256> line{};
  std::snprintf(line.data(), line.size(), format, values...);
  text += line.data();
}

std::vector<std::string> map_names(const MapsResults& results) {
  std::vector<std::string> names;
  for (const auto* cells : {&results.cells, &results.limits}) {
    for (const MixCell& cell : *cells) {
      if (std::find(names.begin(), names.end(), cell.map) == names.end()) names.push_back(cell.map);
    }
  }
  return names;
}

// All cells of the load of cells[0], the limits last.
std::vector<MixCell> cells_of(const MapsResults& results, const MixCell& load) {
  std::vector<MixCell> row;
  for (const auto* cells : {&results.cells, &results.limits}) {
    for (const MixCell& cell : *cells) {
      if (cell.same_load(load)) row.push_back(cell);
    }
  }
  return row;
}

int width_of(const std::string& name) { return std::max(static_cast<int>(name.size()) + 2, 9); }

void append_row(std::string& text, const MapsResults& results, const MixCell& load,
                const std::vector<std::string>& names) {
  append(text, "%-9s %8llu %5u%% %-8s %3u", load.key.c_str(),
         static_cast<unsigned long long>(load.entries), load.read_percent,
         load.distribution.c_str(), load.threads);
  const std::vector<MixCell> row = cells_of(results, load);
  double fastest = 0;
  for (const MixCell& cell : row) {
    const bool limit = std::any_of(results.limits.begin(), results.limits.end(),
                                   [&](const MixCell& l) { return l.map == cell.map; });
    if (!limit) fastest = std::max(fastest, cell.mops);
  }
  for (const std::string& name : names) {
    const auto cell =
        std::find_if(row.begin(), row.end(), [&](const MixCell& c) { return c.map == name; });
    if (cell == row.end()) {
      append(text, "%*s", width_of(name), "-");
    } else {
      append(text, "%*.1f%s", width_of(name) - 1, cell->mops, cell->mops == fastest ? "*" : " ");
    }
  }
  text += '\n';
}

void append_mixes(std::string& text, const MapsResults& results) {
  if (results.cells.empty()) return;
  const std::vector<std::string> names = map_names(results);
  append(text, "Million operations per second of all threads together; * fastest\n%-38s",
         "key        entries reads  keys     thr");
  for (const std::string& name : names) append(text, "%*s", width_of(name), name.c_str());
  text += '\n';
  const MixCell* previous = nullptr;
  for (const MixCell& cell : results.cells) {
    if (previous != nullptr && cell.same_load(*previous)) continue;
    append_row(text, results, cell, names);
    previous = &cell;
  }
  const MapsSummary summary = summarize(results);
  append(text, "\nvigil's best map is at least level with the best peer in %llu of %llu cells; ",
         static_cast<unsigned long long>(summary.cells_won),
         static_cast<unsigned long long>(summary.cells));
  append(text, "geometric mean %.2f x\n", summary.geomean_vs_best_peer);
}

}  // namespace

std::string to_table(const MapsResults& results) {
  std::string text = "Machine: " + results.machine + "\n\n";
  append_mixes(text, results);
  if (!results.growth.empty()) {
    append(text, "\nGrowth, one writer and one reader, u64 keys\n%-20s %14s %16s %14s %14s\n",
           "map", "insert p99 us", "insert p99.9 us", "insert max ms", "reader max ms");
  }
  for (const GrowthRow& row : results.growth) {
    append(text, "%-20s %14.2f %16.2f %14.3f %14.3f\n", row.map.c_str(), row.insert_p99_us,
           row.insert_p999_us, row.insert_max_ms, row.reader_max_ms);
  }
  if (!results.memory.empty()) {
    append(text, "\nResident memory, mean over an octave of sizes\n%-20s %-9s %15s\n", "map", "key",
           "bytes per entry");
  }
  for (const MemoryRow& row : results.memory) {
    append(text, "%-20s %-9s %15.1f\n", row.map.c_str(), row.key.c_str(), row.bytes_per_entry);
  }
  return text;
}

}  // namespace vigil::tools
