// SPDX-License-Identifier: Apache-2.0
//
// Record: one change of a cache as it lies in the log, and how its bytes are made and checked.
//
//   | chain 4 | size varint | type 1 | fields ... | key ... | value ... |
//
//   chain    CRC-32C that continues the one of the record before (below)
//   size     of all that follows it, at least 1
//   type     bits 0-2 RecordType, bits 3-4 cache::Kind (of a mark: MarkCause), bit 5 "has a
//            deadline" (of a mark: "has a time"), bit 6 "the group continues", bit 7 is 0
//   fields   stored     shard varint | version varint | [deadline ms 6] | key size varint
//            deadline   shard varint | version varint | [deadline ms 6]
//            removed    shard varint | version varint
//            cleared    shard varint | version varint (the floor that the shard keeps)
//            floor      shard varint | version varint (in snapshots only)
//            mark       distance varint | [time ms 6] | proof 4
//            continued  none: the segment ends here, the next one follows
//   key      of stored, deadline and removed; what is left is the value of a stored record, the key
//            of the others
//
// Numbers are little-endian; a varint has seven bits a byte, lowest first, and no needless byte. A
// SET of a 16-byte key and a 100-byte value without a deadline takes 12 bytes over key and value,
// with one 18. Nothing is padded, so a record may begin at any position.
//
// Records say what is, not what was done: each holds the whole new state of its key, so reading a
// log twice, or from any earlier point, ends in the same state.
//
// The chain: chain = crc32c(chain of the record before, crc32c(size .. value), tag), where the tag
// is made of the record's position and the salt of the server's run that wrote it. So bytes of an
// older run in a reused file, bytes at another place, and a record whose predecessor is missing do
// not verify. The first record of a segment continues the seed in the segment's header.
//
// A mark says that all before position (its own - distance) was synced before it was written. Its
// proof is a CRC-32C of salt, position and distance, so that a mark can be recognised behind a
// hole, where the chain is of no use: that tells damage from a torn tail (log_reader.h).
//
// A group is a run of records that count all or not at all (one MSET): all but the last of them
// have the continues bit.
//
// Thread safety: pure functions and plain values. Views point into the bytes that were decoded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vigil/cache/entry.h"

namespace vigil::log {

// A place in the stream of all that a data directory was ever told; it only grows. Segments say
// which part of the stream they hold.
using Position = std::uint64_t;

enum class RecordType : std::uint8_t {
  kStored = 1,     // the record under the key is now this one
  kDeadline = 2,   // it is the same record with another deadline
  kRemoved = 3,    // there is no record under the key any more
  kCleared = 4,    // there is no record in the shard any more
  kMark = 5,       // what is durable
  kContinued = 6,  // the next segment follows
  kFloor = 7,      // the shard gives out no version up to this one again
};

enum class MarkCause : std::uint8_t {
  kDurable,  // a sync ended
  kOpened,   // a run begins here
  kClosed,   // a run ended in order; nothing follows in this segment
};

struct Record {
  RecordType type = RecordType::kStored;
  cache::Kind kind = cache::Kind::kString;  // of kStored
  bool continues = false;                   // the next record belongs to the same group
  std::uint32_t shard = 0;
  std::uint64_t version = 0;
  std::int64_t deadline_ms = cache::kNoDeadline;  // absolute
  std::string_view key;
  std::string_view value;

  bool operator==(const Record&) const = default;
};

struct Mark {
  MarkCause cause = MarkCause::kDurable;
  Position durable = 0;      // everything before this was synced
  std::int64_t time_ms = 0;  // Unix time, 0 if it is not said

  bool operator==(const Mark&) const = default;
};

inline constexpr std::size_t kChainBytes = 4;
inline constexpr std::size_t kSizeBytesMax = 4;
inline constexpr std::size_t kVarintBytesMax = 10;
// Size, type, and the widest fields.
inline constexpr std::size_t kRecordHeadBytesMax = kSizeBytesMax + 1 + 5 + kVarintBytesMax + 6 + 5;
inline constexpr std::size_t kRecordBytesMax =
    kChainBytes + kRecordHeadBytesMax + cache::kKeyBytesMax + cache::kValueBytesMax;
inline constexpr std::size_t kMarkBytesMax = kChainBytes + 1 + 1 + kVarintBytesMax + 6 + 4;
inline constexpr std::size_t kContinuedBytes = kChainBytes + 1 + 1;

// What chains of one run depend on beside the bytes.
struct ChainKey {
  std::uint32_t salt = 0;

  // What the first record of the segment that begins at `first` continues.
  [[nodiscard]] std::uint32_t seed(Position first) const;
  // The chain of the record at `position` whose bytes after the chain have the CRC `body`.
  [[nodiscard]] std::uint32_t link(std::uint32_t before, std::uint32_t body,
                                   Position position) const;
  // The key of a link that is known, if its record is whole.
  [[nodiscard]] static ChainKey of_link(std::uint32_t before, std::uint32_t body, Position position,
                                        std::uint32_t chain);
  [[nodiscard]] std::uint32_t mark_proof(Position position, std::uint64_t distance) const;
};

// ---- Writing ----

// A record before it has a position: everything but its chain. Key and value stay the caller's.
class EncodedRecord {
 public:
  [[nodiscard]] std::size_t bytes() const {
    return kChainBytes + (kRecordHeadBytesMax - begin_ - left_) + key_.size() + value_.size();
  }
  // The CRC of all but the chain.
  [[nodiscard]] std::uint32_t body_crc() const { return body_crc_; }
  // Writes bytes() bytes.
  void copy_to(char* to, std::uint32_t chain) const;
  // All but the chain, at the end of *to.
  void append_body(std::string* to) const;

 private:
  friend class HeadWriter;
  std::array<char, kRecordHeadBytesMax> head_;  // size, type and fields: from begin_ on
  std::uint32_t begin_ = 0;
  std::uint32_t left_ = 0;  // unused bytes behind
  std::uint32_t body_crc_ = 0;
  std::string_view key_;
  std::string_view value_;
};

// The first bytes of a record.
void store_chain(char* to, std::uint32_t chain);

// REQUIRES: no kMark and no kContinued; key and value within the limits of cache/entry.h.
[[nodiscard]] EncodedRecord encode(const Record& record);

// A mark depends on where it will lie, which is known when it is appended.
[[nodiscard]] EncodedRecord encode_mark(const Mark& mark, Position position, const ChainKey& key);
[[nodiscard]] EncodedRecord encode_continued();

// ---- Reading ----

// A record that was taken apart but not yet checked.
struct RawBody {
  std::string_view body;     // size and what follows: what the CRC is over
  std::string_view content;  // after the size: type, fields, key, value
};
struct RawRecord {
  std::uint32_t chain = 0;
  RawBody raw;

  [[nodiscard]] std::size_t bytes() const { return kChainBytes + raw.body.size(); }
};

// The record at the front of `bytes`; nothing if it has no valid size or does not end within them.
[[nodiscard]] std::optional<RawRecord> split_record(std::string_view bytes);
// The same of a record without its chain.
[[nodiscard]] std::optional<RawBody> split_body(std::string_view bytes);
// How many bytes the record at the front takes, as far as its size says; nothing if `bytes` are too
// few to tell or the size is not one of a record.
[[nodiscard]] std::optional<std::uint32_t> record_bytes(std::string_view bytes);

// Whether the chain is the one that follows `before` at `position`.
[[nodiscard]] bool verifies(const RawRecord& record, std::uint32_t before, Position position,
                            const ChainKey& key);
// REQUIRES: not empty.
[[nodiscard]] RecordType type_of(std::string_view content);
// Nothing if the content is none of a record. Of marks see decode_mark().
[[nodiscard]] std::optional<Record> decode(std::string_view content);
// Nothing if it is no mark or its proof is not the one of this place and run.
[[nodiscard]] std::optional<Mark> decode_mark(std::string_view content, Position position,
                                              const ChainKey& key);

}  // namespace vigil::log
