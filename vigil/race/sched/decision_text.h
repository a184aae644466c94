// SPDX-License-Identifier: Apache-2.0
//
// Decisions as text, one per line: what `vigil race minimize` writes and the option `decisions`
// reads.
//
//   # comment
//   run FROM STEP TO       at its STEP-th point thread FROM lets thread TO go on
//   clock FROM STEP        ... the next deadline fires early
//   choice FROM STEP TO    the STEP-th choice in thread FROM takes the TO-th
//
// Context: init; no allocation. Thread safety: pure.
#pragma once

#include <cstddef>

#include "vigil/race/sched/replay.h"

namespace vigil::race {

struct DecisionText {
  std::size_t count = 0;     // decisions read
  std::size_t bad_line = 0;  // the first line that is none of the above, from 1; 0: all are good
};

// Reads at most `capacity` decisions; a text with more has a bad line where they end.
DecisionText read_decisions(const char* text, std::size_t size, Decision* decisions,
                            std::size_t capacity);

}  // namespace vigil::race
