// SPDX-License-Identifier: Apache-2.0
//
// read_log: reads the segments of a directory from a position on, checks every record, and finds
// the end of the log.
//
//   Result<LogEnd> end = read_log(directory, {.from = snapshot_begin}, [&](const LoggedRecord& r) {
//     apply(r.record);
//   });
//   if (!end) refuse_to_start(end.error());
//
// One pass, each byte read once, at most the largest record (or the largest group) in memory beside
// a read buffer of 1 MiB. Records come in the order of the log; those of a group only when the
// whole group is there. `view`s are valid during the call.
//
// The end. Reading ends at the first record that does not verify. If zeroes follow, as behind every
// write, that is the end. If not, what follows is searched for marks, which can be recognised
// alone:
//
//   a mark says that this place was synced       damage: an error, which names the file, the
//   offset,
//                                                the reason and the command to run; nothing is
//                                                changed
//   no mark says so                              a torn tail, as a crash leaves it: the log ends
//                                                here, `cut` says what is to be cut off; an error
//                                                if that is more than cut_bytes_max
//
// So what was committed with kAlways is never cut. Whatever a crash can leave is a tail; a flipped
// bit, a lost file or a changed header is damage. The first record of each run, and a header, are
// synced before anything counts: if they do not verify, that is always damage.
//
// read_log changes nothing on disk. Log::open() carries out the cut.
//
// Thread safety: a pure function of the files.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/log/directory.h"
#include "vigil/log/record.h"
#include "vigil/log/segment.h"

namespace vigil::log {

inline constexpr std::uint64_t kCutBytesMax = std::uint64_t{64} << 20;

struct LoggedRecord {
  Position position = 0;
  const LogIdentity& identity;  // of the run that wrote it
  const Record& record;
};

struct LoggedMark {
  Position position = 0;
  Mark mark;
};

// What stopped the reading, for a repair.
enum class DamageKind : std::uint8_t {
  kHeader,         // the segment's header
  kRecord,         // a record that should be there
  kPadding,        // bytes behind a segment's end
  kOrder,          // the segment does not follow the one before it
  kNoNext,         // the segment that should follow the last one
  kNoLog,          // segments from the beginning on
  kNoRun,          // the first segment of the last run
  kBehindSnapshot  // the log's end
};

struct Damage {
  DamageKind kind = DamageKind::kRecord;
  std::string path;
  std::uint64_t offset = 0;
  Position position = 0;  // where the log went on until then
};

struct ReadOptions {
  Position from =
      0;  // records before it are checked where they share a segment, and not handed out
  std::uint64_t cut_bytes_max = kCutBytesMax;
  // Called now and then with bytes read and bytes to read.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;
  std::function<void(const LoggedMark&)> mark;
  // Called before an error that is damage is returned.
  std::function<void(const Damage&)> damage;
};

// A torn tail.
struct Cut {
  std::string file;  // its path
  std::uint64_t offset = 0;
  Position position = 0;
  std::uint64_t bytes = 0;  // that may have been written behind it, at most
  std::string reason;

  [[nodiscard]] std::string sentence() const;
};

// Where the log ends, and from where on Log::open() continues.
struct LogEnd {
  Position begin = 0;  // of the first segment that was read
  Position end = 0;
  std::uint64_t records = 0;  // handed out
  std::uint64_t bytes = 0;    // of the records that verified
  bool closed = false;        // the last run ended in order
  std::optional<Cut> cut;
  std::optional<LogIdentity> identity;  // of the last run; nothing if there never was one
  std::int64_t last_time_ms = 0;        // the latest time that a mark says

  StreamFile last;                    // the segment in which the log ends; empty name: none
  std::uint64_t last_file_bytes = 0;  // its size when cut to the end
  std::vector<StreamFile> unused;     // segments behind the end: prepared, or cut off
};

// Removes what is behind the end that read_log() found: segments, then the rest of the last one.
[[nodiscard]] Result<void> cut_off(const Directory& directory, const LogEnd& end);

[[nodiscard]] Result<LogEnd> read_log(const Directory& directory, const ReadOptions& options,
                                      const std::function<void(const LoggedRecord&)>& visit);

}  // namespace vigil::log
