// SPDX-License-Identifier: Apache-2.0
//
// Snapshot file: `snapshot.<begin position>`, the state of a cache as records (record.h), in blocks
// that can be checked and loaded on several threads.
//
//   byte 0         4096
//   | header block | block | block | ... | end block |
//
//   block      CRC-32C of what follows 4 | content size 4 | records 4 | number 4 | content ...
//   content    records without their chain: size varint | type | fields | key | value
//   end block  the same head with number FFFFFFFF and 40 bytes of content:
//              end position 8 | blocks 8 | records 8 | bytes of all blocks 8 | CRC of their CRCs 4
//              | zero 4
//
//   header     0 "VIGILSNP" | 8 format version 4 | 12 size of the header block 4 | 16 begin 8 |
//              24 salt 4 | 28 shards 4 | 32 hash of the table of transitions 8 | 40 time of making
//              8 | 48 size of the hash's name 4 | 52 the name 16 | 4092 CRC-32C of the rest 4
//
// The CRC of a block begins with the salt and the number, so that a block of another snapshot or at
// another place does not verify. Blocks hold about kSnapshotBlockBytes.
//
// A snapshot is fuzzy: it was taken while the cache changed. It holds for each key a state from
// some time between `begin` and `end`; with the log from `begin` on it becomes the state of the
// log's end. Log::wait_durable(end) comes before finish(), or a crash could leave a snapshot that
// is ahead of its log.
//
// Thread safety: a writer and a reader belong to one thread. check_block() and for_each_record()
// are pure functions: blocks may be loaded on any threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "vigil/base/result.h"
#include "vigil/log/directory.h"
#include "vigil/log/record.h"
#include "vigil/log/segment.h"

namespace vigil::log {

inline constexpr std::size_t kSnapshotBlockBytes = std::size_t{256} << 10;

struct SnapshotHeader {
  Position begin = 0;
  std::uint32_t salt = 0;
  LogIdentity identity;
  std::int64_t created_ms = 0;

  bool operator==(const SnapshotHeader&) const = default;
};

// Written under another name, which finish() changes when all is synced.
class SnapshotWriter {
 public:
  // Replaces what an earlier attempt left. `sync_bytes`: after so many bytes the file is synced, so
  // that no mass of dirty pages gathers in front of the log's syncs.
  static Result<SnapshotWriter> create(const Directory& directory, Position begin,
                                       const LogIdentity& identity,
                                       std::uint64_t sync_bytes = std::uint64_t{512} << 10);
  SnapshotWriter(SnapshotWriter&&) = default;
  SnapshotWriter& operator=(SnapshotWriter&&) = delete;
  ~SnapshotWriter() = default;  // of an unfinished one the file is left for the next open

  // Any record but marks. May write and sync.
  [[nodiscard]] Result<void> add(const Record& record);
  // Writes the end block, syncs, gives the file its name and syncs the directory. The snapshot
  // counts when this returned without an error, and perhaps if it returned one.
  [[nodiscard]] Result<void> finish(Position end);
  // Removes the file.
  void abandon();

  [[nodiscard]] std::uint64_t bytes() const { return offset_ + content_.size(); }
  [[nodiscard]] std::uint64_t records() const { return records_ + block_records_; }

 private:
  SnapshotWriter(const Directory& directory, SnapshotHeader header, std::unique_ptr<File> file,
                 std::uint64_t sync_bytes);
  [[nodiscard]] Result<void> write_block();
  [[nodiscard]] Result<void> write_at_end(std::string_view head, std::string_view content);

  const Directory* directory_;
  SnapshotHeader header_;
  std::unique_ptr<File> file_;
  std::uint64_t sync_bytes_;
  std::uint64_t offset_ = 0;
  std::uint64_t synced_ = 0;
  std::uint64_t blocks_ = 0;
  std::uint64_t records_ = 0;
  std::uint32_t crc_of_crcs_ = 0;
  std::string content_;  // of the block being filled
  std::uint32_t block_records_ = 0;
};

struct SnapshotBlock {
  std::uint64_t offset = 0;  // in the file
  std::uint32_t number = 0;
  std::uint32_t records = 0;
  std::uint32_t crc = 0;
  std::uint32_t salt = 0;
  std::string content;
};

class SnapshotReader {
 public:
  // Checks the header and that there is an end block.
  static Result<SnapshotReader> open(const Directory& directory, const StreamFile& snapshot);

  [[nodiscard]] const SnapshotHeader& header() const { return header_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] Position end() const { return end_; }
  [[nodiscard]] std::uint64_t records() const { return records_; }
  [[nodiscard]] std::uint64_t file_bytes() const { return file_bytes_; }
  [[nodiscard]] std::uint64_t bytes_read() const { return offset_; }

  // The next block, not yet checked, into *block, whose buffer is reused; false at the end. That
  // all blocks of the file came, and in their order, is checked here.
  [[nodiscard]] Result<bool> next(SnapshotBlock* block);

 private:
  SnapshotReader(std::string path, std::unique_ptr<File> file)
      : path_(std::move(path)), file_(std::move(file)) {}

  [[nodiscard]] Result<void> read_end_block();
  [[nodiscard]] Error damaged(std::uint64_t offset, std::string_view reason) const;

  std::string path_;
  std::unique_ptr<File> file_;
  SnapshotHeader header_;
  Position end_ = 0;
  std::uint64_t blocks_ = 0;
  std::uint64_t records_ = 0;
  std::uint64_t blocks_bytes_ = 0;
  std::uint32_t crc_of_crcs_ = 0;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t offset_ = 0;
  std::uint64_t blocks_read_ = 0;
  std::uint64_t records_read_ = 0;
  std::uint32_t crc_read_ = 0;
};

// ---- What a repair needs ----

[[nodiscard]] Result<SnapshotHeader> decode_snapshot_header(std::string_view bytes);

inline constexpr std::size_t kSnapshotBlockHeadBytes = 16;
inline constexpr std::size_t kSnapshotBlockBytesMax =
    kSnapshotBlockHeadBytes + kSnapshotBlockBytes + kRecordBytesMax;
// The block at the front of `bytes`, if it is whole and verifies; its offset is 0. Not the end
// block.
[[nodiscard]] std::optional<SnapshotBlock> block_at(std::string_view bytes, std::uint32_t salt);

// ---- Blocks ----

// Whether the block's bytes are what was written; the error names `path` and the offset.
[[nodiscard]] Result<void> check_block(const std::string& path, const SnapshotBlock& block);
// REQUIRES: check_block() succeeded.
void for_each_record(const SnapshotBlock& block, const std::function<void(const Record&)>& visit);

}  // namespace vigil::log
