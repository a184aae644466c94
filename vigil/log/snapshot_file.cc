// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/snapshot_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "vigil/base/check.h"
#include "vigil/base/clock.h"
#include "vigil/base/random.h"
#include "vigil/log/crc32c.h"
#include "vigil/log/header_block.h"
#include "vigil/log/little_endian.h"

namespace vigil::log {
namespace {

constexpr std::string_view kMagic = "VIGILSNP";
constexpr std::string_view kNewName = "snapshot.tmp";

// Fields of the header block.
constexpr std::size_t kBeginAt = 16;
constexpr std::size_t kSaltAt = 24;
constexpr std::size_t kShardsAt = 28;
constexpr std::size_t kTransitionsAt = 32;
constexpr std::size_t kCreatedAt = 40;
constexpr std::size_t kHashNameAt = 48;

// Of a block's head.
constexpr std::size_t kBlockHeadBytes = kSnapshotBlockHeadBytes;
constexpr std::size_t kBlockSizeAt = 4;
constexpr std::size_t kBlockRecordsAt = 8;
constexpr std::size_t kBlockNumberAt = 12;
constexpr std::uint32_t kEndNumber = 0xFFFFFFFF;

// Of the end block's content.
constexpr std::size_t kEndBytes = 40;
constexpr std::size_t kEndPositionAt = 0;
constexpr std::size_t kEndBlocksAt = 8;
constexpr std::size_t kEndRecordsAt = 16;
constexpr std::size_t kEndBlockBytesAt = 24;
constexpr std::size_t kEndCrcAt = 32;

constexpr std::size_t kContentBytesMax = kSnapshotBlockBytes + kRecordBytesMax;

std::string encode_header(const SnapshotHeader& header) {
  HeaderBlock block(kMagic);
  block.put64(kBeginAt, header.begin);
  block.put32(kSaltAt, header.salt);
  block.put32(kShardsAt, header.identity.shards);
  block.put64(kTransitionsAt, header.identity.transitions_hash);
  block.put64(kCreatedAt, static_cast<std::uint64_t>(header.created_ms));
  block.put_name(kHashNameAt, header.identity.hash);
  return block.finish();
}

using BlockHead = std::array<char, kBlockHeadBytes>;

// Of all of a block but its CRC.
std::uint32_t block_crc(const BlockHead& head, std::string_view content, std::uint32_t salt) {
  return crc32c(content,
                crc32c({head.data() + kBlockSizeAt, kBlockHeadBytes - kBlockSizeAt}, salt));
}

BlockHead make_head(std::string_view content, std::uint32_t records, std::uint32_t number,
                    std::uint32_t salt) {
  BlockHead head{};
  store_little(head.data() + kBlockSizeAt, static_cast<std::uint32_t>(content.size()));
  store_little(head.data() + kBlockRecordsAt, records);
  store_little(head.data() + kBlockNumberAt, number);
  store_little(head.data(), block_crc(head, content, salt));
  return head;
}

std::string_view view_of(const BlockHead& head) { return {head.data(), head.size()}; }

std::uint32_t crc_with(std::uint32_t crc_of_crcs, std::uint32_t crc) {
  return crc32c({reinterpret_cast<const char*>(&crc), sizeof crc}, crc_of_crcs);
}

}  // namespace

Result<SnapshotHeader> decode_snapshot_header(std::string_view bytes) {
  const Result<HeaderView> block = HeaderView::check(bytes, kMagic, "a snapshot");
  if (!block) return block.error();
  SnapshotHeader header;
  header.begin = block->get64(kBeginAt);
  header.salt = block->get32(kSaltAt);
  header.identity.shards = block->get32(kShardsAt);
  header.identity.transitions_hash = block->get64(kTransitionsAt);
  header.created_ms = static_cast<std::int64_t>(block->get64(kCreatedAt));
  header.identity.hash = block->get_name(kHashNameAt);
  return header;
}

// ---- Writing ----

Result<SnapshotWriter> SnapshotWriter::create(const Directory& directory, Position begin,
                                              const LogIdentity& identity,
                                              std::uint64_t sync_bytes) {
  const std::string path = directory.path_of(kNewName);
  std::unique_ptr<File> file;
  int error = directory.files().remove(path);
  if (error == 0 || error == ENOENT) error = directory.files().open(path, OpenMode::kCreate, &file);
  if (error != 0) return describe(path, "made", error);
  const SnapshotHeader header{begin, static_cast<std::uint32_t>(random_seed()), identity,
                              unix_ms()};
  SnapshotWriter writer(directory, header, std::move(file), sync_bytes);
  const Result<void> begun = writer.write_at_end(encode_header(header), {});
  if (!begun) return begun.error();
  return writer;
}

SnapshotWriter::SnapshotWriter(const Directory& directory, SnapshotHeader header,
                               std::unique_ptr<File> file, std::uint64_t sync_bytes)
    : directory_(&directory),
      header_(std::move(header)),
      file_(std::move(file)),
      sync_bytes_(sync_bytes) {}

Result<void> SnapshotWriter::write_at_end(std::string_view head, std::string_view content) {
  const std::array<std::string_view, 2> pieces = {head, content};
  int error = file_->write(offset_, pieces);
  offset_ += head.size() + content.size();
  if (error == 0 && offset_ - synced_ >= sync_bytes_) {
    error = file_->sync();
    synced_ = offset_;
  }
  if (error != 0) return describe(directory_->path_of(kNewName), "written", error);
  return {};
}

Result<void> SnapshotWriter::add(const Record& record) {
  encode(record).append_body(&content_);
  ++block_records_;
  if (content_.size() < kSnapshotBlockBytes) return {};
  return write_block();
}

Result<void> SnapshotWriter::write_block() {
  if (block_records_ == 0) return {};
  const BlockHead head =
      make_head(content_, block_records_, static_cast<std::uint32_t>(blocks_), header_.salt);
  const Result<void> written = write_at_end(view_of(head), content_);
  if (!written) return written.error();
  crc_of_crcs_ = crc_with(crc_of_crcs_, load_little<std::uint32_t>(head.data()));
  ++blocks_;
  records_ += block_records_;
  block_records_ = 0;
  content_.clear();
  return {};
}

Result<void> SnapshotWriter::finish(Position end) {
  const Result<void> last = write_block();
  if (!last) return last.error();
  std::string content(kEndBytes, '\0');
  store_little<std::uint64_t>(content.data() + kEndPositionAt, end);
  store_little<std::uint64_t>(content.data() + kEndBlocksAt, blocks_);
  store_little<std::uint64_t>(content.data() + kEndRecordsAt, records_);
  store_little<std::uint64_t>(content.data() + kEndBlockBytesAt, offset_ - kHeaderBlockBytes);
  store_little(content.data() + kEndCrcAt, crc_of_crcs_);
  const BlockHead head = make_head(content, 0, kEndNumber, header_.salt);
  const Result<void> written = write_at_end(view_of(head), content);
  if (!written) return written.error();
  const std::string path = directory_->path_of(snapshot_name(header_.begin));
  int error = file_->sync();
  if (error == 0) error = directory_->files().rename(directory_->path_of(kNewName), path);
  if (error == 0) error = directory_->files().sync_directory(directory_->path());
  if (error != 0) return describe(path, "written", error);
  file_.reset();
  return {};
}

void SnapshotWriter::abandon() {
  file_.reset();
  (void)directory_->files().remove(directory_->path_of(kNewName));  // else the next open does it
}

// ---- Reading ----

Error SnapshotReader::damaged(std::uint64_t offset, std::string_view reason) const {
  return Error{path_ + ": offset " + std::to_string(offset) + ": " + std::string(reason) +
               ". Nothing was changed. Restore the directory from a backup, or save what can be "
               "saved with `vigil log repair` and its path"};
}

Result<SnapshotReader> SnapshotReader::open(const Directory& directory,
                                            const StreamFile& snapshot) {
  const std::string path = directory.path_of(snapshot.name);
  std::unique_ptr<File> file;
  int error = directory.files().open(path, OpenMode::kRead, &file);
  if (error != 0) return describe(path, "read", error);
  SnapshotReader reader(path, std::move(file));
  std::string block(kHeaderBlockBytes, '\0');
  std::size_t count = 0;
  error = reader.file_->read(0, block.data(), block.size(), &count);
  if (error == 0) error = reader.file_->size(&reader.file_bytes_);
  if (error != 0) return describe(path, "read", error);
  Result<SnapshotHeader> header = decode_snapshot_header({block.data(), count});
  if (!header) return reader.damaged(0, header.error().message);
  reader.header_ = std::move(*header);
  if (reader.header_.begin != snapshot.begin) {
    return reader.damaged(0, "its header says that it begins at position " +
                                 std::to_string(reader.header_.begin) +
                                 ", its name says otherwise");
  }
  reader.offset_ = kHeaderBlockBytes;
  const Result<void> ended = reader.read_end_block();
  if (!ended) return ended.error();
  return reader;
}

Result<void> SnapshotReader::read_end_block() {
  constexpr std::uint64_t kBytes = kBlockHeadBytes + kEndBytes;
  if (file_bytes_ < kHeaderBlockBytes + kBytes) return damaged(0, "the snapshot is cut off");
  const std::uint64_t offset = file_bytes_ - kBytes;
  BlockHead head{};
  std::string content(kEndBytes, '\0');
  std::size_t head_count = 0;
  std::size_t count = 0;
  int error = file_->read(offset, head.data(), head.size(), &head_count);
  if (error == 0) {
    error = file_->read(offset + kBlockHeadBytes, content.data(), content.size(), &count);
  }
  if (error != 0) return describe(path_, "read", error);
  if (load_little<std::uint32_t>(head.data() + kBlockNumberAt) != kEndNumber ||
      load_little<std::uint32_t>(head.data()) != block_crc(head, content, header_.salt)) {
    return damaged(offset, "the block at its end does not verify");
  }
  end_ = load_little<std::uint64_t>(content.data() + kEndPositionAt);
  blocks_ = load_little<std::uint64_t>(content.data() + kEndBlocksAt);
  records_ = load_little<std::uint64_t>(content.data() + kEndRecordsAt);
  blocks_bytes_ = load_little<std::uint64_t>(content.data() + kEndBlockBytesAt);
  crc_of_crcs_ = load_little<std::uint32_t>(content.data() + kEndCrcAt);
  if (blocks_bytes_ != offset - kHeaderBlockBytes) {
    return damaged(offset, "the snapshot is longer or shorter than its end says");
  }
  return {};
}

Result<bool> SnapshotReader::next(SnapshotBlock* block) {
  const std::uint64_t end = kHeaderBlockBytes + blocks_bytes_;
  if (offset_ == end) {
    if (blocks_read_ != blocks_ || records_read_ != records_ || crc_read_ != crc_of_crcs_) {
      return damaged(offset_, "it holds other blocks than its end says");
    }
    return false;
  }
  BlockHead head{};
  std::size_t count = 0;
  int error = file_->read(offset_, head.data(), head.size(), &count);
  if (error != 0) return describe(path_, "read", error);
  const auto size = load_little<std::uint32_t>(head.data() + kBlockSizeAt);
  if (count < kBlockHeadBytes || size > kContentBytesMax ||
      offset_ + kBlockHeadBytes + size > end) {
    return damaged(offset_, "a block does not end within the file");
  }
  block->offset = offset_;
  block->crc = load_little<std::uint32_t>(head.data());
  block->records = load_little<std::uint32_t>(head.data() + kBlockRecordsAt);
  block->number = load_little<std::uint32_t>(head.data() + kBlockNumberAt);
  block->salt = header_.salt;
  block->content.resize(size);
  error = file_->read(offset_ + kBlockHeadBytes, block->content.data(), size, &count);
  if (error != 0) return describe(path_, "read", error);
  if (block->number != blocks_read_) return damaged(offset_, "a block is not at its place");
  offset_ += kBlockHeadBytes + size;
  ++blocks_read_;
  records_read_ += block->records;
  crc_read_ = crc_with(crc_read_, block->crc);
  return true;
}

std::optional<SnapshotBlock> block_at(std::string_view bytes, std::uint32_t salt) {
  if (bytes.size() < kBlockHeadBytes) return {};
  SnapshotBlock block;
  block.crc = load_little<std::uint32_t>(bytes.data());
  const auto size = load_little<std::uint32_t>(bytes.data() + kBlockSizeAt);
  block.records = load_little<std::uint32_t>(bytes.data() + kBlockRecordsAt);
  block.number = load_little<std::uint32_t>(bytes.data() + kBlockNumberAt);
  block.salt = salt;
  if (size > bytes.size() - kBlockHeadBytes || block.records == 0 || block.records > size ||
      block.number == kEndNumber) {
    return {};
  }
  block.content = bytes.substr(kBlockHeadBytes, size);
  if (!check_block({}, block)) return {};
  return block;
}

Result<void> check_block(const std::string& path, const SnapshotBlock& block) {
  const BlockHead head = make_head(block.content, block.records, block.number, block.salt);
  const auto bad = [&](std::string_view why) {
    return Error{path + ": offset " + std::to_string(block.offset) + ": " + std::string(why) +
                 ". Nothing was changed. Restore the directory from a backup, or save what can be "
                 "saved with `vigil log repair` and its path"};
  };
  if (load_little<std::uint32_t>(head.data()) != block.crc) {
    return bad("the block's checksum is not the one of its bytes");
  }
  std::uint32_t records = 0;
  for (std::string_view rest = block.content; !rest.empty(); ++records) {
    const std::optional<RawBody> raw = split_body(rest);
    if (!raw || !decode(raw->content)) return bad("a block verifies but holds no valid records");
    rest.remove_prefix(raw->body.size());
  }
  if (records != block.records) return bad("a block holds other records than its head says");
  return {};
}

void for_each_record(const SnapshotBlock& block, const std::function<void(const Record&)>& visit) {
  for (std::string_view rest = block.content; !rest.empty();) {
    const std::optional<RawBody> raw = split_body(rest);
    VIGIL_CHECK(raw, "for_each_record() of a block that was not checked");
    const std::optional<Record> record = decode(raw->content);
    VIGIL_CHECK(record, "for_each_record() of a block that was not checked");
    visit(*record);
    rest.remove_prefix(raw->body.size());
  }
}

}  // namespace vigil::log
