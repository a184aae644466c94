// SPDX-License-Identifier: Apache-2.0
//
// check_directory: reads every byte of a data directory that counts and says what is wrong with it.
//
// Checked are FORMAT, all snapshots, and all segments from the newest snapshot on, or all of them
// if there is none. Segments before the newest snapshot are not needed and not read. In a reused
// segment the bytes behind the last record are an older segment's and carry nothing.
//
// Thread safety: a pure function of the files. It writes nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/log/directory.h"
#include "vigil/log/log_reader.h"

namespace vigil::log {

struct CheckFinding {
  bool damage = true;  // else a torn tail, which the next start cuts off
  std::string sentence;
};

struct CheckReport {
  std::vector<CheckFinding> findings;
  std::uint64_t snapshots = 0;
  std::uint64_t snapshot_records = 0;
  std::optional<LogEnd> log;  // nothing if it is damaged
  std::uint64_t unneeded_segments = 0;

  [[nodiscard]] bool clean() const { return findings.empty(); }
};

[[nodiscard]] Result<CheckReport> check_directory(const Directory& directory);

// Checks every block of a snapshot; the number of its records.
[[nodiscard]] Result<std::uint64_t> check_snapshot(const Directory& directory,
                                                   const StreamFile& snapshot);

}  // namespace vigil::log
