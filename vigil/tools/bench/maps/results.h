// SPDX-License-Identifier: Apache-2.0
//
// What `vigil bench maps` found, and its forms: JSON, a table, an HTML page with plots and an
// SVG picture.
//
// Thread safety: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vigil::tools {

struct MixCell {
  std::string map;
  std::string key;
  std::uint64_t entries = 0;
  std::uint32_t read_percent = 0;
  std::uint32_t threads = 0;
  std::string distribution;
  double mops = 0;  // of all threads together
  bool peer = false;

  // Whether both measured the same load.
  [[nodiscard]] bool same_load(const MixCell& other) const {
    return key == other.key && entries == other.entries && read_percent == other.read_percent &&
           threads == other.threads && distribution == other.distribution;
  }
};

struct GrowthRow {
  std::string map;
  double insert_p99_us = 0;
  double insert_p999_us = 0;
  double insert_max_ms = 0;
  double reader_max_ms = 0;
};

struct MemoryRow {
  std::string map;
  std::string key;
  double bytes_per_entry = 0;  // the mean over an octave of sizes
};

struct MapsResults {
  std::string machine;
  std::vector<MixCell> cells;   // of vigil's maps and their peers
  std::vector<MixCell> limits;  // of maps for one thread: a plain one without a lock, CheckedMap
  std::vector<GrowthRow> growth;
  std::vector<MemoryRow> memory;
};

struct MapsSummary {
  std::uint64_t cells = 0;
  std::uint64_t cells_won = 0;  // vigil's best map is at least level with the best peer
  double geomean_vs_best_peer = 0;
};

[[nodiscard]] MapsSummary summarize(const MapsResults& results);

// Model, cores, memory, kernel.
[[nodiscard]] std::string describe_machine();

[[nodiscard]] std::string to_json(const MapsResults& results);
// One row per load, one column per map, `*` at the fastest.
[[nodiscard]] std::string to_table(const MapsResults& results);
[[nodiscard]] std::string to_html(const MapsResults& results);
// A bar per map for each load: meant for one or two loads.
[[nodiscard]] std::string to_svg(const MapsResults& results);

}  // namespace vigil::tools
