// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/check.h"

#include <algorithm>
#include <utility>

#include "vigil/log/snapshot_file.h"

namespace vigil::log {

Result<std::uint64_t> check_snapshot(const Directory& directory, const StreamFile& snapshot) {
  Result<SnapshotReader> reader = SnapshotReader::open(directory, snapshot);
  if (!reader) return reader.error();
  SnapshotBlock block;
  for (;;) {
    const Result<bool> more = reader->next(&block);
    if (!more) return more.error();
    if (!*more) return reader->records();
    const Result<void> checked = check_block(reader->path(), block);
    if (!checked) return checked.error();
  }
}

Result<CheckReport> check_directory(const Directory& directory) {
  const Result<DirectoryListing> listing = directory.list();
  if (!listing) return listing.error();
  CheckReport report;
  for (const StreamFile& snapshot : listing->snapshots) {
    const Result<std::uint64_t> records = check_snapshot(directory, snapshot);
    if (!records) report.findings.push_back({true, records.error().message});
    report.snapshot_records = records ? *records : 0;
    ++report.snapshots;
  }
  ReadOptions options;
  options.cut_bytes_max = UINT64_MAX;
  if (!listing->snapshots.empty()) options.from = listing->snapshots.back().begin;
  Result<LogEnd> end = read_log(directory, options, {});
  if (!end) {
    report.findings.push_back({true, end.error().message});
    return report;
  }
  if (end->cut) report.findings.push_back({false, end->cut->sentence()});
  report.unneeded_segments = static_cast<std::uint64_t>(
      std::count_if(listing->segments.begin(), listing->segments.end(),
                    [&](const StreamFile& segment) { return segment.begin < end->begin; }));
  report.log = std::move(*end);
  return report;
}

}  // namespace vigil::log
