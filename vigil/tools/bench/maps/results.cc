// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/bench/maps/results.h"

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <thread>

namespace vigil::tools {
namespace {

using Writer = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

void write_text(Writer& writer, const char* name, const std::string& text) {
  writer.Key(name);
  writer.String(text.c_str());
}
void write_number(Writer& writer, const char* name, double number) {
  writer.Key(name);
  writer.Double(number);
}
void write_count(Writer& writer, const char* name, std::uint64_t count) {
  writer.Key(name);
  writer.Uint64(count);
}

void write_cells(Writer& writer, const char* name, const std::vector<MixCell>& cells) {
  writer.Key(name);
  writer.StartArray();
  for (const MixCell& cell : cells) {
    writer.StartObject();
    write_text(writer, "map", cell.map);
    write_text(writer, "key", cell.key);
    write_count(writer, "entries", cell.entries);
    write_count(writer, "read_percent", cell.read_percent);
    write_count(writer, "threads", cell.threads);
    write_text(writer, "distribution", cell.distribution);
    write_number(writer, "mops", cell.mops);
    writer.Key("peer");
    writer.Bool(cell.peer);
    writer.EndObject();
  }
  writer.EndArray();
}

void write_growth(Writer& writer, const std::vector<GrowthRow>& rows) {
  writer.Key("growth");
  writer.StartArray();
  for (const GrowthRow& row : rows) {
    writer.StartObject();
    write_text(writer, "map", row.map);
    write_number(writer, "insert_p99_us", row.insert_p99_us);
    write_number(writer, "insert_p999_us", row.insert_p999_us);
    write_number(writer, "insert_max_ms", row.insert_max_ms);
    write_number(writer, "reader_max_ms", row.reader_max_ms);
    writer.EndObject();
  }
  writer.EndArray();
}

void write_memory(Writer& writer, const std::vector<MemoryRow>& rows) {
  writer.Key("memory");
  writer.StartArray();
  for (const MemoryRow& row : rows) {
    writer.StartObject();
    write_text(writer, "map", row.map);
    write_text(writer, "key", row.key);
    write_number(writer, "bytes_per_entry", row.bytes_per_entry);
    writer.EndObject();
  }
  writer.EndArray();
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
  rapidjson::StringBuffer buffer;
  Writer writer(buffer);
  writer.SetMaxDecimalPlaces(3);
  const MapsSummary summary = summarize(results);
  writer.StartObject();
  write_text(writer, "machine", results.machine);
  write_cells(writer, "cells", results.cells);
  write_cells(writer, "limits", results.limits);
  write_growth(writer, results.growth);
  write_memory(writer, results.memory);
  writer.Key("summary");
  writer.StartObject();
  write_count(writer, "cells", summary.cells);
  write_count(writer, "cells_won", summary.cells_won);
  write_number(writer, "geomean_vs_best_peer", summary.geomean_vs_best_peer);
  writer.EndObject();
  writer.EndObject();
  return std::string(buffer.GetString()) + "\n";
}

}  // namespace vigil::tools
