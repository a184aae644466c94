// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/repair.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include "vigil/base/check.h"
#include "vigil/base/clock.h"
#include "vigil/log/check.h"
#include "vigil/log/header_block.h"
#include "vigil/log/record_search.h"
#include "vigil/log/record_window.h"
#include "vigil/log/segment.h"
#include "vigil/log/snapshot_file.h"

namespace vigil::log {
namespace {

constexpr std::string_view kNewName = "repair.tmp";
constexpr std::string_view kSavedPrefix = "saved.";

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string bytes_at(std::uint64_t bytes, Position position) {
  return std::to_string(bytes) + " bytes at position " + std::to_string(position);
}

class Repair {
 public:
  explicit Repair(Directory& directory) : directory_(directory), files_(directory.files()) {}

  [[nodiscard]] Result<RepairReport> run();

 private:
  [[nodiscard]] Result<void> mend_snapshots();
  [[nodiscard]] Result<void> mend_snapshot(const StreamFile& snapshot);
  [[nodiscard]] Result<void> keep_good_blocks(const std::string& path, std::uint32_t salt,
                                              SnapshotWriter* writer, std::uint64_t* lost);
  [[nodiscard]] Result<void> mend(const Damage& damage);
  [[nodiscard]] Result<void> mend_header(const Damage& damage);
  [[nodiscard]] Result<void> mend_record(const Damage& damage);
  [[nodiscard]] Result<void> mend_padding(const Damage& damage);
  [[nodiscard]] Result<void> mend_order(const Damage& damage);
  [[nodiscard]] Result<void> mend_beginning();
  [[nodiscard]] Result<void> drop_all_segments();
  [[nodiscard]] Result<void> drop(const std::string& path);

  // The rest of the log begins behind a hole at `position`, in the first segment behind `path`.
  [[nodiscard]] Result<void> give_up_until_next(const std::string& path, Position position);
  [[nodiscard]] Result<void> truncate(const std::string& path, std::uint64_t bytes);
  [[nodiscard]] Result<void> shorten(const std::string& path, std::uint64_t bytes);
  [[nodiscard]] Result<void> cut(const LogEnd& end);
  [[nodiscard]] Result<std::string> read_front(const std::string& path, std::uint64_t bytes_max);
  [[nodiscard]] Result<std::string> read_all(const std::string& path) {
    return read_front(path, UINT64_MAX);
  }
  [[nodiscard]] Result<void> replace(const std::string& path, std::string_view content);
  [[nodiscard]] Result<void> save(const std::string& path);
  [[nodiscard]] Result<void> copy(const std::string& from, const std::string& to);
  [[nodiscard]] LogIdentity identity_of_others();
  void note(std::string step) { report_.steps.push_back(std::move(step)); }

  Directory& directory_;
  FileSystem& files_;
  RepairReport report_;
  Position from_ = 0;
};

// ---- Files ----

Result<std::string> Repair::read_front(const std::string& path, std::uint64_t bytes_max) {
  std::unique_ptr<File> file;
  std::uint64_t size = 0;
  std::size_t count = 0;
  std::string bytes;
  int error = files_.open(path, OpenMode::kRead, &file);
  if (error == 0) error = file->size(&size);
  if (error == 0) {
    bytes.resize(std::min(size, bytes_max));
    error = file->read(0, bytes.data(), bytes.size(), &count);
  }
  if (error != 0) return describe(path, "read", error);
  bytes.resize(count);
  return bytes;
}

// Puts a file with that content in the place of `path`, synced.
Result<void> Repair::replace(const std::string& path, std::string_view content) {
  const std::string new_path = directory_.path_of(kNewName);
  std::unique_ptr<File> file;
  int error = files_.remove(new_path);
  if (error == 0 || error == ENOENT) error = files_.open(new_path, OpenMode::kCreate, &file);
  if (error == 0) error = file->write(0, {&content, 1});
  if (error == 0) error = file->sync();
  if (error == 0) error = files_.rename(new_path, path);
  if (error == 0) error = files_.sync_directory(directory_.path());
  if (error != 0) return describe(path, "written", error);
  return {};
}

// Once per file: what was there before the repair.
Result<void> Repair::save(const std::string& path) {
  const std::string saved = directory_.path_of(std::string(kSavedPrefix) + name_of(path));
  std::unique_ptr<File> file;
  if (files_.open(saved, OpenMode::kRead, &file) == 0) return {};
  return copy(path, saved);
}

Result<void> Repair::copy(const std::string& from, const std::string& to) {
  const std::string new_path = directory_.path_of(kNewName);
  std::unique_ptr<File> source;
  std::unique_ptr<File> target;
  int error = files_.open(from, OpenMode::kRead, &source);
  if (error != 0) return describe(from, "read", error);
  error = files_.remove(new_path);
  if (error == 0 || error == ENOENT) error = files_.open(new_path, OpenMode::kCreate, &target);
  std::string buffer(std::size_t{1} << 20, '\0');
  std::size_t count = buffer.size();
  for (std::uint64_t offset = 0; error == 0 && count == buffer.size(); offset += count) {
    error = source->read(offset, buffer.data(), buffer.size(), &count);
    const std::string_view piece(buffer.data(), count);
    if (error == 0) error = target->write(offset, {&piece, 1});
  }
  if (error == 0) error = target->sync();
  if (error == 0) error = files_.rename(new_path, to);
  if (error == 0) error = files_.sync_directory(directory_.path());
  if (error != 0) return describe(to, "written", error);
  return {};
}

Result<void> Repair::drop(const std::string& path) {
  const Result<void> saved = save(path);
  if (!saved) return saved.error();
  int error = files_.remove(path);
  if (error == 0) error = files_.sync_directory(directory_.path());
  if (error != 0) return describe(path, "removed", error);
  return {};
}

Result<void> Repair::truncate(const std::string& path, std::uint64_t bytes) {
  if (bytes <= kHeaderBlockBytes) return drop(path);
  return shorten(path, bytes);
}

Result<void> Repair::shorten(const std::string& path, std::uint64_t bytes) {
  const Result<void> saved = save(path);
  if (!saved) return saved.error();
  std::unique_ptr<File> file;
  int error = files_.open(path, OpenMode::kWrite, &file);
  if (error == 0) error = file->truncate(bytes);
  if (error == 0) error = file->sync();
  if (error != 0) return describe(path, "truncated", error);
  return {};
}

// ---- Segments ----

// What the cache was, if another segment says so; without it shards are found by keys.
LogIdentity Repair::identity_of_others() {
  // Not an error: then nothing says it.
  const Result<DirectoryListing> listing = directory_.list();
  if (!listing) return {};
  for (const StreamFile& segment : listing->segments) {
    const std::string path = directory_.path_of(segment.name);
    // Not an error: another one may say it.
    const Result<std::string> bytes = read_front(path, kHeaderBlockBytes);
    if (!bytes) continue;
    // Not an error: as above.
    const Result<SegmentHeader> header = decode_header(*bytes);
    if (header) return header->identity;
  }
  return {};
}

Result<void> Repair::mend_header(const Damage& damage) {
  const std::string& path = damage.path;
  Result<std::string> bytes = read_all(path);
  if (!bytes) return bytes.error();
  const Result<void> saved = save(path);
  if (!saved) return saved.error();
  const Position first = std::stoull(name_of(path).substr(name_of(path).find('.') + 1));
  const std::string_view records =
      std::string_view(*bytes).substr(std::min(bytes->size(), kHeaderBlockBytes));
  const std::optional<ChainKey> key = find_key(records, first);
  if (!key) {
    note(path + ": its header is lost and its records do not tell it: the segment is given up");
    const Result<void> dropped = drop(path);
    if (!dropped) return dropped.error();
    return give_up_until_next(path, damage.position);
  }
  SegmentHeader header;
  header.first = first;
  header.key = *key;
  header.chain = key->seed(first);
  header.zero_filled = false;
  header.identity = identity_of_others();
  header.created_ms = unix_ms();
  header.end = first + std::max<std::uint64_t>(records.size(), 1);
  const Result<DirectoryListing> listing = directory_.list();
  if (!listing) return listing.error();
  for (const StreamFile& next : listing->segments) {
    if (next.begin <= first) continue;
    header.end = next.begin;
    break;
  }
  bytes->replace(0, std::min(bytes->size(), kHeaderBlockBytes), encode_header(header));
  note(path + ": its header was made anew from its records; none is lost");
  return replace(path, *bytes);
}

Result<void> Repair::mend_record(const Damage& damage) {
  const std::string& path = damage.path;
  const Result<std::string> bytes = read_all(path);
  if (!bytes) return bytes.error();
  const Result<SegmentHeader> old = decode_header(*bytes);
  if (!old) return old.error();
  const Result<void> saved = save(path);
  if (!saved) return saved.error();
  const std::string_view rest = std::string_view(*bytes).substr(damage.offset);
  const Position hole = old->first + (damage.offset - kHeaderBlockBytes);
  const std::optional<FoundRecords> found = find_records(rest, hole, old->key);
  if (!found) {
    note(path + ": from offset " + std::to_string(damage.offset) +
         " on nothing verifies: the rest of the segment, from position " + std::to_string(hole) +
         " on, is given up");
    const Result<void> truncated = truncate(path, damage.offset);
    if (!truncated) return truncated.error();
    return give_up_until_next(path, hole);
  }
  SegmentHeader header = *old;
  header.first = hole + found->offset;
  header.chain = found->chain;
  header.first_of_run = false;
  header.zero_filled = old->zero_filled;
  header.previous_first = old->previous_first + (header.first - old->first);
  header.given_up_bytes =
      found->offset + (damage.offset == kHeaderBlockBytes ? old->given_up_bytes : 0);
  const std::string new_path = directory_.path_of(segment_name(header.first));
  const Result<void> written =
      replace(new_path, encode_header(header) + std::string(rest.substr(found->offset)));
  if (!written) return written.error();
  note(path + ": " + bytes_at(found->offset, hole) +
       " do not verify and are given up: changes in them are lost, so some keys may be older than "
       "they were, or there again; what follows is kept in " +
       new_path);
  return truncate(path, damage.offset);
}

Result<void> Repair::give_up_until_next(const std::string& path, Position position) {
  const Result<DirectoryListing> listing = directory_.list();
  if (!listing) return listing.error();
  const bool has_before =
      std::any_of(listing->segments.begin(), listing->segments.end(), [&](const StreamFile& file) {
        return directory_.path_of(file.name) <= path && file.begin < position;
      });
  for (const StreamFile& next : listing->segments) {
    const std::string next_path = directory_.path_of(next.name);
    if (next_path <= path || next.begin < position || !has_before) continue;
    return mend_order({DamageKind::kOrder, next_path, 0, position});
  }
  return {};
}

Result<void> Repair::mend_order(const Damage& damage) {
  Result<std::string> bytes = read_all(damage.path);
  if (!bytes) return bytes.error();
  Result<SegmentHeader> header = decode_header(*bytes);
  if (!header) return header.error();
  if (header->first < damage.position) {
    note(damage.path + ": it holds positions that the segment before it has: it is put aside");
    return drop(damage.path);
  }
  const Result<void> saved = save(damage.path);
  if (!saved) return saved.error();
  header->given_up_bytes = header->first - damage.position;
  bytes->replace(0, kHeaderBlockBytes, encode_header(*header));
  note(damage.path + ": " + bytes_at(header->given_up_bytes, damage.position) +
       " before it are missing and given up: some keys may be older than they were, or there "
       "again");
  return replace(damage.path, *bytes);
}

Result<void> Repair::mend_padding(const Damage& damage) {
  Result<std::string> bytes = read_all(damage.path);
  if (!bytes) return bytes.error();
  const Result<void> saved = save(damage.path);
  if (!saved) return saved.error();
  std::fill(bytes->begin() + static_cast<std::ptrdiff_t>(damage.offset), bytes->end(), '\0');
  note(damage.path + ": bytes behind its end were made zero; no record is lost");
  return replace(damage.path, *bytes);
}

// The log begins behind the position from which on it is needed.
Result<void> Repair::mend_beginning() {
  Result<DirectoryListing> listing = directory_.list();
  if (!listing) return listing.error();
  if (listing->segments.empty()) {
    note(directory_.path() + ": all segments are missing; the log begins anew" +
         (listing->snapshots.empty() ? "" : " behind the snapshot"));
    return directory_.forget_run();
  }
  const StreamFile first = listing->segments.front();
  SegmentHeader header;
  header.first = from_;
  header.end = first.begin;
  header.identity = identity_of_others();
  header.created_ms = unix_ms();
  const Result<void> written =
      replace(directory_.path_of(segment_name(from_)), encode_header(header));
  if (!written) return written.error();
  return mend_order({DamageKind::kOrder, directory_.path_of(first.name), 0, from_});
}

Result<void> Repair::drop_all_segments() {
  const Result<DirectoryListing> listing = directory_.list();
  if (!listing) return listing.error();
  for (const StreamFile& segment : listing->segments) {
    const Result<void> dropped = drop(directory_.path_of(segment.name));
    if (!dropped) return dropped.error();
  }
  note(directory_.path() +
       ": the log ends before the snapshot begins, which holds all of it; the "
       "segments are put aside, changes behind the snapshot are lost");
  return directory_.forget_run();
}

Result<void> Repair::mend(const Damage& damage) {
  switch (damage.kind) {
    case DamageKind::kHeader:
      return mend_header(damage);
    case DamageKind::kRecord:
      return mend_record(damage);
    case DamageKind::kPadding:
      return mend_padding(damage);
    case DamageKind::kOrder:
      return mend_order(damage);
    case DamageKind::kNoNext:
      note(damage.path + ": the segments that follow it are missing; the log ends with it");
      return truncate(damage.path, damage.offset);
    case DamageKind::kNoLog:
      return mend_beginning();
    case DamageKind::kNoRun:
      note(damage.path + ": the last run's changes are missing and given up");
      return directory_.forget_run();
    case DamageKind::kBehindSnapshot:
      return drop_all_segments();
  }
  return {};
}

// ---- Snapshots ----

Result<void> Repair::mend_snapshots() {
  const Result<DirectoryListing> listing = directory_.list();
  if (!listing) return listing.error();
  for (const StreamFile& snapshot : listing->snapshots) {
    if (check_snapshot(directory_, snapshot)) continue;
    const Result<void> mended = mend_snapshot(snapshot);
    if (!mended) return mended.error();
  }
  return {};
}

// A new one of the blocks that verify. Without its header none does.
Result<void> Repair::mend_snapshot(const StreamFile& snapshot) {
  const std::string path = directory_.path_of(snapshot.name);
  const Result<std::string> front = read_front(path, kHeaderBlockBytes);
  if (!front) return front.error();
  // Not an error: that it is damaged is what is being mended.
  const Result<SnapshotHeader> header = decode_snapshot_header(*front);
  if (is_newer_format(*front)) return header.error().while_doing("repairing " + path);
  const Result<void> saved = save(path);
  if (!saved) return saved.error();
  Result<SnapshotWriter> writer = SnapshotWriter::create(
      directory_, snapshot.begin, header ? header->identity : identity_of_others());
  if (!writer) return writer.error();
  std::uint64_t lost = 0;
  if (header) {
    const Result<void> kept = keep_good_blocks(path, header->salt, &*writer, &lost);
    if (!kept) return kept.error();
  }
  note(path + ": made anew of " + std::to_string(writer->records()) + " records that verify; " +
       (header ? std::to_string(lost) + " bytes were" : "without its header all others are") +
       " given up, and the keys in them are lost unless the log has them");
  return writer->finish(snapshot.begin);
}

Result<void> Repair::keep_good_blocks(const std::string& path, std::uint32_t salt,
                                      SnapshotWriter* writer, std::uint64_t* lost) {
  std::unique_ptr<File> file;
  std::uint64_t size = 0;
  int error = files_.open(path, OpenMode::kRead, &file);
  if (error == 0) error = file->size(&size);
  if (error != 0) return describe(path, "read", error);
  RecordWindow window(path, *file, size);
  for (std::uint64_t offset = kHeaderBlockBytes; offset < size;) {
    const Result<std::string_view> bytes = window.at(offset, kSnapshotBlockBytesMax);
    if (!bytes) return bytes.error();
    const std::optional<SnapshotBlock> block = block_at(*bytes, salt);
    if (!block) {
      ++offset;
      ++*lost;
      continue;
    }
    Result<void> added;
    for_each_record(*block, [&](const Record& record) {
      if (added) added = writer->add(record);
    });
    if (!added) return added.error();
    offset += kSnapshotBlockHeadBytes + block->content.size();
  }
  return {};
}

Result<void> Repair::cut(const LogEnd& end) {
  note(end.cut->sentence());
  const Result<void> saved = save(end.cut->file);
  if (!saved) return saved.error();
  const Result<void> done = cut_off(directory_, end);
  if (!done) return done.error();
  // A segment that holds nothing but the tail keeps its place, in which the next run begins.
  for (const StreamFile& segment : end.unused) {
    if (segment.begin == end.end) {
      return shorten(directory_.path_of(segment.name), kHeaderBlockBytes);
    }
  }
  return {};
}

Result<RepairReport> Repair::run() {
  // Each step removes a damage; what is left needs more steps only if new ones appear.
  constexpr int kStepsMax = 100'000;
  const Result<void> mended = mend_snapshots();
  if (!mended) return mended.error();
  for (int step = 0; step < kStepsMax; ++step) {
    const Result<DirectoryListing> listing = directory_.list();
    if (!listing) return listing.error();
    from_ = listing->snapshots.empty() ? 0 : listing->snapshots.back().begin;
    std::optional<Damage> damage;
    ReadOptions options;
    options.from = from_;
    options.cut_bytes_max = UINT64_MAX;
    options.damage = [&](const Damage& found) { damage = found; };
    Result<LogEnd> end = read_log(directory_, options, {});
    if (end) {
      if (end->cut) {
        const Result<void> done = cut(*end);
        if (!done) return done.error();
      }
      report_.end = std::move(*end);
      return std::move(report_);
    }
    if (!damage) return end.error();
    const Result<void> done = mend(*damage);
    if (!done) return done.error();
  }
  return Error{directory_.path() + ": it is still damaged after " + std::to_string(kStepsMax) +
               " steps; restore it from a backup"};
}

}  // namespace

Result<RepairReport> repair_directory(Directory& directory) { return Repair(directory).run(); }

}  // namespace vigil::log
