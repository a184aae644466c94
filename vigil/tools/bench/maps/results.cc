// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/bench/maps/results.h"

#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <thread>

#include "vigil/text/json_writer.h"

namespace vigil::tools {
namespace {

using text::JsonWriter;

// Measurements are not worth more digits.
double to_thousandths(double number) { return std::round(number * 1000) / 1000; }

// An array of objects, whose members write(row) adds.
template <class Row, class Write>
void write_rows(text::JsonName name, const std::vector<Row>& rows, JsonWriter* json, Write write) {
  json->begin_array(name);
  for (const Row& row : rows) {
    json->begin_object();
    write(row);
    json->end_object();
  }
  json->end_array();
}

void write_cells(text::JsonName name, const std::vector<MixCell>& cells, JsonWriter* json) {
  write_rows(name, cells, json, [json](const MixCell& cell) {
    json->member("map", cell.map);
    json->member("key", cell.key);
    json->member("entries", cell.entries);
    json->member("read_percent", cell.read_percent);
    json->member("threads", cell.threads);
    json->member("distribution", cell.distribution);
    json->member("mops", to_thousandths(cell.mops));
    json->member("peer", cell.peer);
  });
}

void write_growth(const std::vector<GrowthRow>& rows, JsonWriter* json) {
  write_rows("growth", rows, json, [json](const GrowthRow& row) {
    json->member("map", row.map);
    json->member("insert_p99_us", to_thousandths(row.insert_p99_us));
    json->member("insert_p999_us", to_thousandths(row.insert_p999_us));
    json->member("insert_max_ms", to_thousandths(row.insert_max_ms));
    json->member("reader_max_ms", to_thousandths(row.reader_max_ms));
  });
}

void write_memory(const std::vector<MemoryRow>& rows, JsonWriter* json) {
  write_rows("memory", rows, json, [json](const MemoryRow& row) {
    json->member("map", row.map);
    json->member("key", row.key);
    json->member("bytes_per_entry", to_thousandths(row.bytes_per_entry));
  });
}

std::string processor_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

}  // namespace

MapsSummary summarize(const MapsResults& results) {
  MapsSummary summary;
  double sum_of_logs = 0;
  for (std::size_t i = 0; i < results.cells.size(); ++i) {
    const MixCell& load = results.cells[i];
    double best_own = 0;
    double best_peer = 0;
    bool counted = false;
    for (std::size_t j = 0; j < results.cells.size(); ++j) {
      const MixCell& cell = results.cells[j];
      if (!cell.same_load(load)) continue;
      counted = counted || j < i;
      double& best = cell.peer ? best_peer : best_own;
      best = std::max(best, cell.mops);
    }
    if (counted || best_own == 0 || best_peer == 0) continue;
    ++summary.cells;
    if (best_own >= best_peer) ++summary.cells_won;
    sum_of_logs += std::log(best_own / best_peer);
  }
  if (summary.cells != 0) {
    summary.geomean_vs_best_peer = std::exp(sum_of_logs / static_cast<double>(summary.cells));
  }
  return summary;
}

std::string describe_machine() {
  struct sysinfo info {};
  utsname kernel{};
  sysinfo(&info);
  uname(&kernel);
  return processor_model() + ", " + std::to_string(std::thread::hardware_concurrency()) +
         " cores, " + std::to_string(info.totalram * info.mem_unit >> 30) + " GiB, " +
         kernel.sysname + " " + kernel.release;
}

std::string to_json(const MapsResults& results) {
  const MapsSummary summary = summarize(results);
  std::string out;
  JsonWriter json(&out, {.indent = 4});
  json.begin_object();
  json.member("machine", results.machine);
  write_cells("cells", results.cells, &json);
  write_cells("limits", results.limits, &json);
  write_growth(results.growth, &json);
  write_memory(results.memory, &json);
  json.begin_object("summary");
  json.member("cells", summary.cells);
  json.member("cells_won", summary.cells_won);
  json.member("geomean_vs_best_peer", to_thousandths(summary.geomean_vs_best_peer));
  json.end_object();
  json.end_object();
  return out + "\n";
}

}  // namespace vigil::tools
