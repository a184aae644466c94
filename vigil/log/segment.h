// SPDX-License-Identifier: Apache-2.0
//
// Segment: one file of the log, `log.<first position>`: a header block, then records.
//
//   byte 0                4096                                                    file size
//   | header block        | record | record | ... | continued | zeroes             |
//                                                 | zeroes, or bytes of an older segment |
//
// The byte of position p lies at 4096 + p - first. A full segment ends with a `continued` record
// and zeroes; the next one begins at `end`. The segment being written has no end yet: eight zero
// bytes follow its last record, then the zeroes it was made of or, in a reused file, bytes of an
// older segment, which do not verify (record.h). A segment that was closed in order or cut after a
// crash is truncated behind its last record, and the next one begins right there.
//
// The header block; numbers are little-endian, what is not named is zero:
//
//     0   8  "VIGILLOG"
//     8   4  format version, 1
//    12   4  size of the header block, 4096
//    16   8  first: position of the first record
//    24   8  end: where the next segment begins if this one is full
//    32   4  salt of the run
//    36   4  chain that the first record continues
//    40   4  flags: 1 the file was written full of zeroes; 2 the first of a run
//    44   4  shards of the cache
//    48   8  hash of the table of transitions
//    56   8  time of making, Unix ms
//    64   8  first position of the segment that the file held before
//    72   4  salt of that segment's run
//    76   4  size of the hash's name
//    80  16  name of the hash that chooses a key's shard
//    96   8  bytes before `first` that a repair gave up
//  4092   4  CRC-32C of the 4092 bytes before
//
// The magic, the version and the CRC keep their places in later formats, so that a damaged header
// and one of a newer version are told apart.
//
// Thread safety: pure functions and plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "vigil/base/result.h"
#include "vigil/log/header_block.h"
#include "vigil/log/record.h"

namespace vigil::log {

// Zero bytes behind the last record of a segment that is being written.
inline constexpr std::size_t kTerminatorBytes = 8;

// What the cache was when records were written: whether their shard numbers mean anything now, and
// by which rules orders moved.
struct LogIdentity {
  std::uint32_t shards = 0;
  std::string hash;  // hash_algorithm_name(), at most 16 bytes
  std::uint64_t transitions_hash = 0;

  bool operator==(const LogIdentity&) const = default;
};

struct SegmentHeader {
  Position first = 0;
  Position end = 0;
  ChainKey key;
  std::uint32_t chain = 0;
  bool zero_filled = true;
  bool first_of_run = false;
  LogIdentity identity;
  std::int64_t created_ms = 0;
  Position previous_first = 0;  // of what a reused file held
  ChainKey previous_key;
  std::uint64_t given_up_bytes = 0;

  bool operator==(const SegmentHeader&) const;
};

// kHeaderBlockBytes bytes.
[[nodiscard]] std::string encode_header(const SegmentHeader& header);
// The error says what is wrong with the bytes: damaged, of another kind or of a newer format.
[[nodiscard]] Result<SegmentHeader> decode_header(std::string_view bytes);

[[nodiscard]] inline std::uint64_t file_offset_of(const SegmentHeader& header, Position position) {
  return kHeaderBlockBytes + (position - header.first);
}

}  // namespace vigil::log
