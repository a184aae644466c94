// SPDX-License-Identifier: Apache-2.0
//
// `vigil bench maps`: vigil's maps against what Debian packages, on this machine.
//
// Thread safety: to be called from main only.
#pragma once

#include <span>
#include <string>

#include "vigil/base/result.h"
#include "vigil/tools/bench/maps/measure.h"

namespace vigil::tools {

struct MapsOptions {
  MixPlan mixes;
  GrowthPlan growth;
  MemoryPlan memory;
  bool with_mixes = true;
  bool with_go = true;
  bool with_growth = true;
  bool with_memory = true;
  std::string only;  // maps whose name contains it; empty: all
  std::string json_file;
  std::string html_file;
  std::string svg_file;
};

// What the arguments after `vigil bench maps` ask for; nothing to run if `help` was filled.
[[nodiscard]] Result<MapsOptions> parse_maps_options(std::span<const char* const> arguments,
                                                     std::string& help);

int run_bench_maps(std::span<const char* const> arguments);

// Writes to the last line of a terminal on stderr; nothing if that is no terminal.
[[nodiscard]] Progress progress_on_terminal();

}  // namespace vigil::tools
