// SPDX-License-Identifier: Apache-2.0
//
// TailSearch: what lies behind the first record that does not verify: does anything there say that
// this place was durable, and how far was it written?
//
// Marks carry a proof of their own (record.h), so they are found at any offset without the records
// before them. A mark of this run that says "durable up to p", p behind the hole, proves damage. A
// mark of the run that a reused file held before shows that the bytes from there on are old. By
// chance one offset in 2^40 passes for a mark.
//
// Complexity: every byte is looked at once, zeroes eight at a time; about 1 GB/s.
//
// Thread safety: a pure function of the file.
#pragma once

#include <cstdint>
#include <optional>

#include "vigil/log/file_system.h"
#include "vigil/log/record.h"
#include "vigil/log/segment.h"

namespace vigil::log {

struct FoundMark {
  std::uint64_t offset = 0;  // in the file
  std::uint64_t end_offset = 0;
  Mark mark;
};

struct TailSearch {
  std::optional<FoundMark> last;   // the last mark of the run
  std::optional<FoundMark> proof;  // the first that says that the hole was durable
  std::uint64_t written_end = 0;   // offset behind what may have been written by the run, at most
  int error = 0;                   // of reading
};

// Looks from `offset` on to the end of the file; `hole` is the position of the first record that
// does not verify, there or in an earlier segment.
[[nodiscard]] TailSearch search_tail(File& file, const SegmentHeader& header, std::uint64_t offset,
                                     Position hole);

}  // namespace vigil::log
