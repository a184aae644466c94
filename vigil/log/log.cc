// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/log.h"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "vigil/base/check.h"
#include "vigil/base/clock.h"
#include "vigil/base/random.h"
#include "vigil/log/append_buffer.h"
#include "vigil/log/committer.h"
#include "vigil/log/segment_pool.h"
#include "vigil/log/syncer.h"

namespace vigil::log {
namespace {

// What a thread keeps back between group_began() and group_ended(): copies, because the views of an
// event end with it.
struct Group {
  struct Kept {
    Record record;
    std::string key;
    std::string value;
  };
  const Log* log = nullptr;  // nullptr: none is open
  std::vector<Kept> records;
};

thread_local Group open_group;

Record record_of(RecordType type, std::uint32_t shard, std::string_view key,
                 const cache::EntryHeader& header) {
  Record record;
  record.type = type;
  record.kind = type == RecordType::kStored ? header.kind : cache::Kind::kString;
  record.shard = shard;
  record.version = header.version;
  record.deadline_ms = header.deadline_ms;
  record.key = key;
  return record;
}

// ---- Opening ----

Result<std::vector<StreamFile>> segments_before(const Directory& directory, Position position) {
  Result<DirectoryListing> listing = directory.list();
  if (!listing) return listing.error();
  std::erase_if(listing->segments,
                [&](const StreamFile& segment) { return segment.begin >= position; });
  return std::move(listing->segments);
}

void check_options(const LogOptions& options) {
  const std::uint64_t capacity = options.segment_bytes - kHeaderBlockBytes;
  VIGIL_CHECK(options.segment_bytes > kHeaderBlockBytes &&
                  capacity >= options.record_bytes_max + 2 * kMarkBytesMax + kContinuedBytes,
              "LogOptions::segment_bytes: a segment must hold the largest record");
}

}  // namespace

// What a log is made of, in the order in which it ends.
class Log::Run {
 public:
  Run(Directory& directory, const LogOptions& options, CommitListener& listener,
      const SegmentPoolOptions& pool_options, std::vector<StreamFile> older,
      const AppendBuffer::Start& start)
      : options_(options),
        buffer_(start),
        pool_(directory, pool_options, std::move(older)),
        state_(start.tail, listener),
        syncer_(state_, options.sync == SyncMode::kEverySecond ? options.sync_interval_ms : 0) {}

  [[nodiscard]] SegmentPool& pool() { return pool_; }
  void start(std::shared_ptr<OpenSegment> segment) {
    const CommitterOptions options{options_.sync == SyncMode::kAlways, options_.idle_mark_ms,
                                   options_.retry_interval_ms};
    committer_ = std::make_unique<Committer>(
        options, CommitterParts{buffer_, pool_, syncer_, state_}, std::move(segment));
  }

  [[nodiscard]] AppendBuffer& buffer() { return buffer_; }
  [[nodiscard]] const CommitState& state() const { return state_; }
  [[nodiscard]] std::size_t record_bytes_max() const { return options_.record_bytes_max; }
  void ask() noexcept { committer_->ask(); }

  void append(const Record& record) {
    // Nothing will be written any more; do not fill the memory with it.
    if (state_.has_failed()) return;
    const EncodedRecord encoded = encode(record);
    VIGIL_CHECK(encoded.bytes() <= options_.record_bytes_max, "a record is over record_bytes_max");
    buffer_.append(encoded);
  }

  void append(std::span<const Group::Kept> group) {
    if (group.empty() || state_.has_failed()) return;
    std::vector<EncodedRecord> encoded;
    encoded.reserve(group.size());
    for (const Group::Kept& kept : group) {
      Record record = kept.record;
      record.key = kept.key;
      record.value = kept.value;
      record.continues = &kept != &group.back();
      encoded.push_back(encode(record));
      VIGIL_CHECK(encoded.back().bytes() <= options_.record_bytes_max,
                  "a record is over record_bytes_max");
    }
    buffer_.append_group(encoded);
  }

  [[nodiscard]] Result<void> wait_durable(Position position) {
    ask();
    if (state_.wait_committed(position) && syncer_.sync_now()) return {};
    const std::string why = state_.failure();
    return Error{why.empty() ? "the log was closed" : why};
  }

  [[nodiscard]] WriteState write_state() const {
    if (state_.has_failed()) return WriteState::kFailed;
    // In this order: what is written never overtakes what was appended.
    const Position written = state_.written();
    if (buffer_.tail() - written > options_.backlog_bytes_max) return WriteState::kBacklog;
    return pool_.has_room() && committer_->has_room() ? WriteState::kReady : WriteState::kNoRoom;
  }

  [[nodiscard]] LogStats stats() const;

  [[nodiscard]] Result<void> close() {
    if (closed_) return {};
    closed_ = true;
    Result<void> closed = committer_->finish();
    pool_.stop();
    syncer_.stop();
    state_.set_closed();
    // In this order: behind a truncated segment there is none but the one that begins at its end.
    if (closed) closed = pool_.remove_ready();
    if (closed) closed = committer_->truncate_to_end();
    return closed;
  }

 private:
  const LogOptions options_;
  AppendBuffer buffer_;
  SegmentPool pool_;
  CommitState state_;
  Syncer syncer_;
  std::unique_ptr<Committer> committer_;
  bool closed_ = false;
};

LogStats Log::Run::stats() const {
  const SegmentPoolStats pool = pool_.stats();
  const SyncerStats syncer = syncer_.stats();
  const CommitterStats committer = committer_->stats();
  LogStats stats;
  stats.records = buffer_.records();
  stats.written_bytes = committer.written_bytes;
  stats.commits = committer.commits;
  stats.syncs = syncer.syncs;
  stats.sync_ns_total = syncer.sync_ns_total;
  stats.sync_ns_max = syncer.sync_ns_max;
  const Position written = state_.written();
  stats.tail = buffer_.tail();
  stats.backlog_bytes = stats.tail - written;
  stats.committed = state_.committed();
  stats.durable = state_.durable();
  stats.segments = pool.segments;
  stats.segment_bytes = pool.segment_bytes;
  stats.segments_made = pool.made;
  stats.segments_reused = pool.reused;
  stats.buffer_bytes = buffer_.memory_bytes();
  stats.no_room = pool.no_room.empty() ? committer.no_room : pool.no_room;
  return stats;
}

Result<std::unique_ptr<Log>> Log::open(Directory& directory, const LogEnd& end,
                                       const LogOptions& options, CommitListener& listener) {
  check_options(options);
  const Result<void> cut = cut_off(directory, end);
  if (!cut) return cut.error();
  Result<std::vector<StreamFile>> older = segments_before(directory, end.end);
  if (!older) return older.error();

  SegmentPoolOptions pool_options;
  pool_options.key.salt = static_cast<std::uint32_t>(random_seed());
  pool_options.identity = options.identity;
  pool_options.segment_bytes = options.segment_bytes;
  pool_options.retry_interval_ms = options.retry_interval_ms;
  const Position first = end.end;
  const EncodedRecord opened =
      encode_mark({MarkCause::kOpened, first, unix_ms()}, first, pool_options.key);
  AppendBuffer::Start start;
  start.key = pool_options.key;
  start.first = first;
  start.end = first + options.segment_bytes - kHeaderBlockBytes;
  start.tail = first + opened.bytes();
  start.chain = start.key.link(start.key.seed(first), opened.body_crc(), first);
  std::string opened_bytes(opened.bytes(), '\0');
  opened.copy_to(opened_bytes.data(), start.chain);

  auto run =
      std::make_unique<Run>(directory, options, listener, pool_options, std::move(*older), start);
  Result<std::shared_ptr<OpenSegment>> segment = run->pool().begin(first, opened_bytes);
  if (!segment) return segment.error();
  const Result<void> noted = directory.note_run(first);
  if (!noted) return noted.error();
  run->start(std::move(*segment));
  return std::unique_ptr<Log>(new Log(std::move(run)));
}

Log::Log(std::unique_ptr<Run> run) : run_(std::move(run)) {}

// Who wants to know how it ended calls close() himself.
Log::~Log() { (void)run_->close(); }

// ---- Appending ----

void Log::append(const Record& record) noexcept {
  if (open_group.log != this) [[likely]]
    return run_->append(record);
  open_group.records.push_back({record, std::string(record.key), std::string(record.value)});
}

void Log::stored(const cache::StoredEntry& entry) noexcept {
  Record record = record_of(RecordType::kStored, entry.shard, entry.key, entry.header);
  record.value = entry.value;
  append(record);
}

void Log::removed(const cache::RemovedEntry& entry) noexcept {
  if (entry.leaves_tombstone) return;
  Record record = record_of(RecordType::kRemoved, entry.shard, entry.key, entry.header);
  record.deadline_ms = cache::kNoDeadline;
  append(record);
}

void Log::deadline_set(const cache::MovedDeadline& entry) noexcept {
  append(record_of(RecordType::kDeadline, entry.shard, entry.key, entry.header));
}

void Log::cleared(std::uint32_t shard, std::uint64_t version_floor) noexcept {
  Record record;
  record.type = RecordType::kCleared;
  record.shard = shard;
  record.version = version_floor;
  append(record);
}

void Log::group_began() noexcept {
  VIGIL_CHECK(open_group.log == nullptr, "groups of a log do not nest");
  open_group.log = this;
}

void Log::group_ended() noexcept {
  VIGIL_CHECK(open_group.log == this, "group_ended() without group_began()");
  open_group.log = nullptr;
  run_->append(open_group.records);
  open_group.records.clear();
}

// ---- Committing ----

Position Log::tail() const noexcept { return run_->buffer().tail(); }
void Log::commit_soon() noexcept { run_->ask(); }
Position Log::committed() const noexcept { return run_->state().committed(); }
Position Log::durable() const noexcept { return run_->state().durable(); }
Result<void> Log::wait_durable(Position position) { return run_->wait_durable(position); }

void Log::release(Position position) { run_->pool().release(position); }

// ---- State ----

WriteState Log::write_state() const noexcept { return run_->write_state(); }
std::string Log::failure() const { return run_->state().failure(); }
LogStats Log::stats() const { return run_->stats(); }
Result<void> Log::close() { return run_->close(); }

}  // namespace vigil::log
