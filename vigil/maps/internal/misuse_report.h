// SPDX-License-Identifier: Apache-2.0
//
// MisuseReport: makes the report of two threads that use a map at once (map_misuse.h) and does with
// it what the map's policy says. The other thread's stack is asked for at once, so that it is still
// where it was.
//
// Thread safety: any thread; reports are made one at a time. A thread that wants to report while
// another's report aborts the program waits for that.
#pragma once

#include <cstdint>
#include <functional>

#include "vigil/maps/map_misuse.h"

namespace vigil::maps::internal {

struct MisuseFound {
  const void* map;
  const MisuseOptions& options;
  MapOperation operation;         // of the caller
  std::uint64_t other_word;       // AccessWord by which the other was seen
  std::uint64_t earlier_reports;  // of this map
};

// `word_now` gives the map's AccessWord: it tells whether the other stays in one operation while
// its stack is taken.
void report_misuse(const MisuseFound& found, const std::function<std::uint64_t()>& word_now);

}  // namespace vigil::maps::internal
