// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/log_reader.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "vigil/log/header_block.h"
#include "vigil/log/record_window.h"
#include "vigil/log/tail_search.h"

namespace vigil::log {
namespace {

constexpr std::uint64_t kProgressBytes = std::uint64_t{16} << 20;

// A segment opened to be read.
struct ReadSegment {
  StreamFile file;
  std::string path;
  std::unique_ptr<File> content;
  std::uint64_t file_bytes = 0;
  SegmentHeader header;

  [[nodiscard]] std::uint64_t offset_of(Position position) const {
    return file_offset_of(header, position);
  }
};

// How reading a segment ended.
enum class Ending : std::uint8_t {
  kContinued,  // by a `continued` record
  kTruncated,  // by the end of the file
  kUnverified  // by bytes that do not verify
};

class LogRead {
 public:
  LogRead(const Directory& directory, const ReadOptions& options,
          const std::function<void(const LoggedRecord&)>& visit)
      : directory_(directory), options_(options), visit_(visit) {}

  [[nodiscard]] Result<LogEnd> run();

 private:
  // A record of a group whose end has not come yet.
  struct Held {
    Position position;
    std::string content;
  };

  [[nodiscard]] Result<void> find_segments();
  [[nodiscard]] Result<void> check_order(const ReadSegment& segment);
  [[nodiscard]] Result<ReadSegment> open(const StreamFile& file) const;
  [[nodiscard]] Result<Ending> read(const ReadSegment& segment);
  [[nodiscard]] Result<void> take(const ReadSegment& segment, const RawRecord& record);
  void hand_out(const ReadSegment& segment, Position position, const Record& record);
  void end_group(const ReadSegment& segment);
  [[nodiscard]] Result<void> check_padding(const ReadSegment& segment, RecordWindow* window,
                                           std::uint64_t offset) const;
  [[nodiscard]] Result<LogEnd> finish(const ReadSegment& last, Ending ending);
  [[nodiscard]] Result<void> judge_tail(const ReadSegment& segment, bool ended);
  [[nodiscard]] Result<void> check_end() const;
  void note_progress(std::uint64_t bytes);

  [[nodiscard]] Error damage(DamageKind kind, const std::string& path, std::uint64_t offset,
                             std::string_view reason) const;

  const Directory& directory_;
  const ReadOptions& options_;
  const std::function<void(const LoggedRecord&)>& visit_;

  std::vector<StreamFile> segments_;
  std::size_t index_ = 0;  // of the segment being read
  Position position_ = 0;  // of the next record
  std::uint32_t chain_ = 0;
  std::string reason_;                  // why the record there does not verify
  std::uint64_t continued_offset_ = 0;  // of the last `continued` record
  LogEnd end_;

  std::vector<Held> group_;
  // Where the open group began: what is cut if its end does not come.
  std::size_t group_index_ = 0;
  std::uint64_t group_offset_ = 0;

  std::uint64_t bytes_total_ = 0;
  std::uint64_t bytes_done_ = 0;
  std::uint64_t bytes_told_ = 0;
};

Error LogRead::damage(DamageKind kind, const std::string& path, std::uint64_t offset,
                      std::string_view reason) const {
  if (options_.damage) options_.damage({kind, path, offset, position_});
  return Error{path + ": offset " + std::to_string(offset) + ": " + std::string(reason) +
               ". This is damage, not the end that a crash leaves; nothing was changed. Restore "
               "the directory from a backup, or see `vigil log check " +
               directory_.path() + "` and save what can be saved with `vigil log repair " +
               directory_.path() + "`"};
}

// ---- Which segments ----

Result<void> LogRead::find_segments() {
  Result<DirectoryListing> listing = directory_.list();
  if (!listing) return listing.error();
  segments_ = std::move(listing->segments);
  const std::optional<Position> run = directory_.run();
  if (segments_.empty()) {
    if (!run) return {};
    return damage(DamageKind::kNoLog, directory_.path_of(segment_name(*run)), 0,
                  "the log's files are missing");
  }
  const auto after = std::find_if(segments_.begin(), segments_.end(), [&](const StreamFile& file) {
    return file.begin > options_.from;
  });
  if (after == segments_.begin()) {
    return damage(
        DamageKind::kNoLog, directory_.path_of(segments_.front().name), 0,
        "the log before it, from position " + std::to_string(options_.from) + " on, is missing");
  }
  index_ = static_cast<std::size_t>(after - segments_.begin()) - 1;
  const bool has_run = std::any_of(segments_.begin(), segments_.end(),
                                   [&](const StreamFile& file) { return file.begin == run; });
  if (run && *run >= segments_[index_].begin && !has_run) {
    return damage(DamageKind::kNoRun, directory_.path_of(segment_name(*run)), 0,
                  "the file with which the last run began is missing");
  }
  return {};
}

Result<ReadSegment> LogRead::open(const StreamFile& file) const {
  ReadSegment segment;
  segment.file = file;
  segment.path = directory_.path_of(file.name);
  int error = directory_.files().open(segment.path, OpenMode::kRead, &segment.content);
  if (error == 0) error = segment.content->size(&segment.file_bytes);
  std::string block(kHeaderBlockBytes, '\0');
  std::size_t count = 0;
  if (error == 0) error = segment.content->read(0, block.data(), block.size(), &count);
  if (error != 0) return describe(segment.path, "read", error);
  Result<SegmentHeader> header = decode_header({block.data(), count});
  if (!header && is_newer_format(block)) return Error{segment.path + ": " + header.error().message};
  if (!header) return damage(DamageKind::kHeader, segment.path, 0, header.error().message);
  segment.header = std::move(*header);
  if (segment.header.first != file.begin) {
    return damage(DamageKind::kHeader, segment.path, 0,
                  "its header says that it begins at position " +
                      std::to_string(segment.header.first) + ", its name says otherwise");
  }
  return segment;
}

// Whether the segment is the one that follows what was read.
Result<void> LogRead::check_order(const ReadSegment& segment) {
  const Position first = segment.header.first;
  const bool given_up = segment.header.given_up_bytes != 0 && first > position_ &&
                        first - position_ == segment.header.given_up_bytes;
  if (end_.last.name.empty() || first == position_ || given_up) {
    position_ = first;
    chain_ = segment.header.chain;
    return {};
  }
  return damage(DamageKind::kOrder, segment.path, 0,
                "the segment before it ends at position " + std::to_string(position_) +
                    ": a segment is missing");
}

// ---- Records ----

void LogRead::note_progress(std::uint64_t bytes) {
  bytes_done_ += bytes;
  if (!options_.progress || bytes_done_ - bytes_told_ < kProgressBytes) return;
  bytes_told_ = bytes_done_;
  options_.progress(bytes_done_, std::max(bytes_total_, bytes_done_));
}

void LogRead::hand_out(const ReadSegment& segment, Position position, const Record& record) {
  if (position < options_.from) return;
  ++end_.records;
  if (visit_) visit_({position, segment.header.identity, record});
}

void LogRead::end_group(const ReadSegment& segment) {
  for (const Held& held : group_) {
    hand_out(segment, held.position, decode(held.content).value());
  }
  group_.clear();
}

// A record that verified.
Result<void> LogRead::take(const ReadSegment& segment, const RawRecord& raw) {
  const std::uint64_t offset = segment.offset_of(position_);
  end_.closed = false;
  if (type_of(raw.raw.content) == RecordType::kMark) {
    const std::optional<Mark> mark = decode_mark(raw.raw.content, position_, segment.header.key);
    if (!mark)
      return damage(DamageKind::kRecord, segment.path, offset,
                    "a mark verifies but has no valid content");
    end_.closed = mark->cause == MarkCause::kClosed;
    end_.last_time_ms = std::max(end_.last_time_ms, mark->time_ms);
    if (options_.mark) options_.mark({position_, *mark});
    return {};
  }
  const std::optional<Record> record = decode(raw.raw.content);
  if (!record)
    return damage(DamageKind::kRecord, segment.path, offset,
                  "a record verifies but has no valid content");
  if (record->type == RecordType::kContinued) return {};
  if (record->continues) {
    if (group_.empty()) {
      group_index_ = index_;
      group_offset_ = offset;
    }
    group_.push_back({position_, std::string(raw.raw.content)});
    return {};
  }
  end_group(segment);
  hand_out(segment, position_, *record);
  return {};
}

// Behind `continued` there is nothing but zeroes.
Result<void> LogRead::check_padding(const ReadSegment& segment, RecordWindow* window,
                                    std::uint64_t offset) const {
  while (offset < segment.file_bytes) {
    const Result<std::string_view> bytes = window->at(offset, 1);
    if (!bytes) return bytes.error();
    if (bytes->empty()) break;
    const std::size_t bad = bytes->find_first_not_of('\0');
    if (bad != std::string_view::npos) {
      return damage(DamageKind::kPadding, segment.path, offset + bad,
                    "there is something behind the segment's end");
    }
    offset += bytes->size();
  }
  return {};
}

Result<Ending> LogRead::read(const ReadSegment& segment) {
  RecordWindow window(segment.path, *segment.content, segment.file_bytes);
  const std::uint64_t begin = segment.offset_of(position_);
  for (;;) {
    const std::uint64_t offset = segment.offset_of(position_);
    if (offset >= segment.file_bytes) return Ending::kTruncated;
    const Result<std::string_view> bytes = window.record_at(offset);
    if (!bytes) return bytes.error();
    const std::optional<RawRecord> raw = split_record(*bytes);
    if (!raw || !verifies(*raw, chain_, position_, segment.header.key)) {
      reason_ = raw ? "the record's checksum is not the one of its bytes"
                    : "there is no record of a possible size";
      return Ending::kUnverified;
    }
    const Result<void> taken = take(segment, *raw);
    if (!taken) return taken.error();
    const bool continued = type_of(raw->raw.content) == RecordType::kContinued;
    const std::size_t size = raw->bytes();
    chain_ = raw->chain;
    end_.bytes += size;
    note_progress(size);
    if (continued) {
      const Result<void> padded = check_padding(segment, &window, offset + size);
      if (!padded) return padded.error();
      end_.last_file_bytes = segment.file_bytes;
      continued_offset_ = offset;
      position_ = segment.header.end;
      return Ending::kContinued;
    }
    position_ += size;
    if (offset == begin) end_.identity = segment.header.identity;
  }
}

// ---- The end ----

Result<LogEnd> LogRead::run() {
  const Result<void> found = find_segments();
  if (!found) return found.error();
  if (segments_.empty()) {
    end_.begin = end_.end = options_.from;
    return std::move(end_);
  }
  bytes_total_ = 0;
  for (std::size_t i = index_; i + 1 < segments_.size(); ++i) {
    bytes_total_ += segments_[i + 1].begin - segments_[i].begin;
  }
  end_.begin = segments_[index_].begin;
  for (;; ++index_) {
    const Result<ReadSegment> segment = open(segments_[index_]);
    if (!segment) return segment.error();
    const Result<void> in_order = check_order(*segment);
    if (!in_order) return in_order.error();
    const bool is_last = index_ + 1 == segments_.size();
    if (is_last) bytes_total_ = bytes_done_ + segment->file_bytes;
    const Result<Ending> ending = read(*segment);
    if (!ending) return ending.error();
    end_.last = segment->file;
    // Log::open() removes what is behind an unfinished group before it truncates.
    if (*ending == Ending::kContinued && is_last && group_.empty()) {
      return damage(
          DamageKind::kNoNext, segment->path, continued_offset_,
          "the segment that follows position " + std::to_string(position_) + " is missing");
    }
    if (*ending == Ending::kUnverified || is_last) return finish(*segment, *ending);
  }
}

// Where the log ends: at the first record of an unfinished group, or at position_.
Result<LogEnd> LogRead::finish(const ReadSegment& last, Ending ending) {
  const bool nothing_read = position_ == last.header.first;  // of `last`
  if (nothing_read && last.header.first_of_run) {
    return damage(DamageKind::kRecord, last.path, kHeaderBlockBytes,
                  "the first record of a run does not verify");
  }
  for (std::size_t i = index_ + 1; i < segments_.size(); ++i) {
    end_.unused.push_back(segments_[i]);
  }
  const Result<void> judged = judge_tail(last, ending != Ending::kUnverified);
  if (!judged) return judged.error();
  end_.end = position_;
  end_.last_file_bytes = last.offset_of(position_);
  if (nothing_read) {
    // The segment holds nothing; the one before it ended with `continued`.
    end_.unused.insert(end_.unused.begin(), last.file);
    end_.last = {};
  }
  if (!group_.empty()) {
    end_.end = group_.front().position;
    end_.last = segments_[group_index_];
    end_.last_file_bytes = group_offset_;
    end_.unused.assign(segments_.begin() + static_cast<std::ptrdiff_t>(group_index_) + 1,
                       segments_.end());
  }
  const Result<void> checked = check_end();
  if (!checked) return checked.error();
  return std::move(end_);
}

// Torn or damaged? Looks at everything behind the first record that does not verify.
Result<void> LogRead::judge_tail(const ReadSegment& segment, bool ended) {
  const Position hole = position_;
  const std::uint64_t offset = segment.offset_of(hole);
  std::uint64_t torn_bytes = 0;
  const auto judge = [&](const ReadSegment& in, std::uint64_t from) -> Result<void> {
    const TailSearch tail = search_tail(*in.content, in.header, from, hole);
    if (tail.error != 0) return describe(in.path, "read", tail.error);
    if (tail.proof) {
      return damage(DamageKind::kRecord, segment.path, offset,
                    reason_ + ", but a mark at offset " + std::to_string(tail.proof->offset) +
                        (in.path == segment.path ? "" : " of " + in.path) +
                        " says that this place was synced");
    }
    if (tail.last || in.header.zero_filled) {
      torn_bytes += tail.written_end > from ? tail.written_end - from : 0;
    } else if (&in == &segment) {
      // A reused file: zeroes end what was written, behind them is what it held before.
      const Result<bool> zeroes = ends_with_zeroes(*in.content, in.path, from);
      if (!zeroes) return zeroes.error();
      if (!*zeroes) torn_bytes += tail.written_end - from;
    }
    return {};
  };
  if (!ended) {
    const Result<void> judged = judge(segment, offset);
    if (!judged) return judged.error();
  }
  for (const StreamFile& file : std::vector<StreamFile>(end_.unused)) {
    const Result<ReadSegment> later = open(file);
    if (!later) return later.error();
    const Result<void> judged = judge(*later, kHeaderBlockBytes);
    if (!judged) return judged.error();
  }
  if (torn_bytes == 0 && group_.empty()) return {};
  Cut cut;
  cut.file = segment.path;
  cut.offset = offset;
  cut.position = hole;
  cut.bytes = torn_bytes;
  cut.reason = torn_bytes == 0 ? "a group of records has no end" : reason_;
  if (!group_.empty()) {
    cut.file = directory_.path_of(segments_[group_index_].name);
    cut.offset = group_offset_;
    cut.position = group_.front().position;
    cut.bytes += hole - cut.position;
  }
  end_.cut = cut;
  return {};
}

Result<void> LogRead::check_end() const {
  if (end_.end < options_.from) {
    return damage(DamageKind::kBehindSnapshot, directory_.path_of(segments_[index_].name), 0,
                  "the log ends at position " + std::to_string(end_.end) + ", before position " +
                      std::to_string(options_.from) + ", where the snapshot begins");
  }
  if (end_.cut && end_.cut->bytes > options_.cut_bytes_max) {
    return Error{end_.cut->sentence() + ". That is more than the limit of " +
                 std::to_string(options_.cut_bytes_max) +
                 " bytes; nothing was changed. Look at it with `vigil log check " +
                 directory_.path() +
                 "`, then start with a larger --log-cut-limit, or restore the "
                 "directory from a backup"};
  }
  return {};
}

// ---- Cutting ----

// Removes segments behind the end. The one that begins right there stays: the first segment of the
// run takes its name, and at no time there is none of that name.
Result<void> remove_unused(const Directory& directory, const LogEnd& end) {
  bool removed = false;
  for (const StreamFile& segment : end.unused) {
    if (segment.begin == end.end) continue;
    const int error = directory.files().remove(directory.path_of(segment.name));
    if (error != 0) return describe(directory.path_of(segment.name), "removed", error);
    removed = true;
  }
  if (!removed) return {};
  const int error = directory.files().sync_directory(directory.path());
  if (error != 0) return describe(directory.path(), "synced", error);
  return {};
}

Result<void> truncate_last(const Directory& directory, const LogEnd& end) {
  if (end.last.name.empty()) return {};
  const std::string path = directory.path_of(end.last.name);
  std::unique_ptr<File> file;
  std::uint64_t size = 0;
  int error = directory.files().open(path, OpenMode::kWrite, &file);
  if (error == 0) error = file->size(&size);
  if (error == 0 && size == end.last_file_bytes) return {};
  if (error == 0) error = file->truncate(end.last_file_bytes);
  if (error == 0) error = file->sync();
  if (error != 0) return describe(path, "truncated", error);
  return {};
}

}  // namespace

std::string Cut::sentence() const {
  return file + ": offset " + std::to_string(offset) + ": " + reason + ": a torn tail of at most " +
         std::to_string(bytes) + " bytes, none of them said to be synced, is cut off there";
}

Result<void> cut_off(const Directory& directory, const LogEnd& end) {
  const Result<void> removed = remove_unused(directory, end);
  if (!removed) return removed.error();
  return truncate_last(directory, end);
}

Result<LogEnd> read_log(const Directory& directory, const ReadOptions& options,
                        const std::function<void(const LoggedRecord&)>& visit) {
  return LogRead(directory, options, visit).run();
}

}  // namespace vigil::log
