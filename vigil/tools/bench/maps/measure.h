// SPDX-License-Identifier: Apache-2.0
//
// The measurements of `vigil bench maps`.
//
//   measure_mixes   operations per second; the maps of one cell alternate, medians of the repeats
//   measure_go      the same of Go's maps, if there is a `go` to build their program with; they run
//                   in a process of their own, so they alternate with each other only
//   measure_growth  latency of every insert of one writer, and of a reader beside it, while a map
//                   grows from nothing; the row "(null loop)" is the same without a map: what it
//                   shows is the machine's. A stall that is the map's own comes back in every
//                   repeat, so maxima are the least of the repeats, percentiles their medians
//   measure_memory  growth of the resident set per entry, in a child process per map, as the mean
//                   over eight sizes from octave_begin to twice that
//
// Thread safety: measure_* are called from one thread at a time; measure_memory while no other
// thread runs.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/tools/bench/maps/registry.h"
#include "vigil/tools/bench/maps/results.h"

namespace vigil::tools {

// Is told what is being measured, and how much of the whole is done.
using Progress = std::function<void(const std::string& what, double done)>;

struct MixPlan {
  std::vector<std::size_t> key_bytes = {8, 16};  // 8: numbers
  std::vector<std::uint64_t> entries = {1'000, 65'536, 1'000'000};
  std::vector<std::uint32_t> read_percents = {100, 95, 90, 70, 50, 0};
  std::vector<std::uint32_t> threads = {1, 2, 8, 32};
  std::vector<Distribution> distributions = {Distribution::kUniform, Distribution::kZipf};
  std::uint32_t repeats = 3;
  std::chrono::milliseconds duration{40};  // of one run

  [[nodiscard]] std::uint64_t cells() const {
    return key_bytes.size() * entries.size() * read_percents.size() * threads.size() *
           distributions.size();
  }
};

// Adds to results.cells and results.limits.
void measure_mixes(const MixPlan& plan, const Registry& maps, const Progress& progress,
                   MapsResults& results);

// Adds the cells of Go's maps behind the others of their load. The Error says why there are none.
Result<void> measure_go(const MixPlan& plan, const Progress& progress, MapsResults& results);

// What the program of go_maps.go prints.
[[nodiscard]] Result<std::vector<MixCell>> parse_go_cells(const std::string& text);

struct GrowthPlan {
  std::uint64_t entries = 4'000'000;
  std::uint32_t repeats = 3;
};
void measure_growth(const GrowthPlan& plan, const Registry& maps, const Progress& progress,
                    MapsResults& results);

struct MemoryPlan {
  std::uint64_t octave_begin = 1'000'000;
};
void measure_memory(const MemoryPlan& plan, const Registry& maps, const Progress& progress,
                    MapsResults& results);

}  // namespace vigil::tools
