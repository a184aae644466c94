// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/record.h"

#include <cstring>
#include <utility>

#include "vigil/base/check.h"
#include "vigil/log/crc32c.h"
#include "vigil/log/little_endian.h"

namespace vigil::log {
namespace {

// Bits of the type byte.
constexpr std::uint32_t kTypeMask = 7;
constexpr std::uint32_t kKindShift = 3;
constexpr std::uint32_t kKindMask = 3;
constexpr std::uint32_t kTimeBit = 1U << 5;
constexpr std::uint32_t kContinuesBit = 1U << 6;
constexpr std::uint32_t kUnusedBit = 1U << 7;

constexpr std::size_t kTimeBytes = 6;
constexpr std::size_t kProofBytes = 4;

constexpr std::uint8_t type_byte(RecordType type, std::uint32_t kind, bool has_time,
                                 bool continues) {
  return static_cast<std::uint8_t>(static_cast<std::uint32_t>(type) | kind << kKindShift |
                                   (has_time ? kTimeBit : 0) | (continues ? kContinuesBit : 0));
}

bool has_key(RecordType type) {
  return type == RecordType::kStored || type == RecordType::kDeadline ||
         type == RecordType::kRemoved;
}

std::size_t put_varint(char* to, std::uint64_t number) {
  std::size_t size = 0;
  while (number >= 0x80) {
    to[size++] = static_cast<char>(number | 0x80);
    number >>= 7;
  }
  to[size++] = static_cast<char>(number);
  return size;
}

// Takes the content of a record apart; after a field that is not there or not well formed, good()
// is false for ever.
class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : bytes_(bytes) {}

  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] std::string_view rest() const { return bytes_; }

  std::uint64_t varint() {
    std::uint64_t number = 0;
    for (std::uint32_t shift = 0; shift < 64 && !bytes_.empty(); shift += 7) {
      const auto byte = static_cast<std::uint8_t>(bytes_.front());
      bytes_.remove_prefix(1);
      number |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte >= 0x80) continue;
      if (byte == 0 && shift != 0) break;  // a needless byte
      if (shift == 63 && byte > 1) break;  // more than 64 bits
      return number;
    }
    good_ = false;
    return 0;
  }
  std::int64_t time() {
    const std::string_view field = take(kTimeBytes);
    if (!good_) return 0;
    std::uint64_t number = 0;
    std::memcpy(&number, field.data(), field.size());
    return static_cast<std::int64_t>(number);
  }
  std::uint32_t proof() {
    const std::string_view field = take(kProofBytes);
    return good_ ? load_little<std::uint32_t>(field.data()) : 0;
  }
  std::string_view take(std::size_t size) {
    if (size > bytes_.size()) {
      good_ = false;
      return {};
    }
    const std::string_view field = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return field;
  }

 private:
  std::string_view bytes_;
  bool good_ = true;
};

// How bits of a record's position go into its tag (Fibonacci hashing; Knuth, TAOCP 3, 6.4).
std::uint32_t mixed(Position position) {
  return static_cast<std::uint32_t>(position * 0x9E3779B97F4A7C15ULL >> 32);
}

}  // namespace

// ---- Chain ----

std::uint32_t ChainKey::seed(Position first) const { return crc32c_step(salt, first); }

std::uint32_t ChainKey::link(std::uint32_t before, std::uint32_t body, Position position) const {
  const std::uint32_t tag = salt ^ mixed(position);
  return crc32c_step(before, std::uint64_t{tag} << 32 | body);
}

// The tag goes into the link last and alone: what it did can be undone.
ChainKey ChainKey::of_link(std::uint32_t before, std::uint32_t body, Position position,
                           std::uint32_t chain) {
  const std::uint32_t without_tag = crc32c_step(before, body);
  return ChainKey{crc32c_undo_word(chain ^ without_tag) ^ mixed(position)};
}

std::uint32_t ChainKey::mark_proof(Position position, std::uint64_t distance) const {
  return crc32c_step(crc32c_step(~salt, position), distance);
}

// ---- Writing ----

// Writes the fields behind where the size will be, then the size right in front of them.
class HeadWriter {
 public:
  explicit HeadWriter(EncodedRecord& record)
      : record_(record), end_(record.head_.data() + kSizeBytesMax) {}

  void byte(std::uint8_t value) { *end_++ = static_cast<char>(value); }
  void varint(std::uint64_t number) { end_ += put_varint(end_, number); }
  void time(std::int64_t time_ms) {
    std::memcpy(end_, &time_ms, kTimeBytes);
    end_ += kTimeBytes;
  }
  void proof(std::uint32_t value) {
    store_little(end_, value);
    end_ += kProofBytes;
  }
  void finish(std::string_view key, std::string_view value) {
    char* const fields = record_.head_.data() + kSizeBytesMax;
    const std::size_t size = static_cast<std::size_t>(end_ - fields) + key.size() + value.size();
    std::array<char, kVarintBytesMax> size_bytes;
    const std::size_t size_size = put_varint(size_bytes.data(), size);
    VIGIL_CHECK(size_size <= kSizeBytesMax, "a record is larger than an entry may be");
    record_.begin_ = static_cast<std::uint32_t>(kSizeBytesMax - size_size);
    char* const begin = record_.head_.data() + record_.begin_;
    std::memcpy(begin, size_bytes.data(), size_size);
    record_.left_ = static_cast<std::uint32_t>(record_.head_.data() + kRecordHeadBytesMax - end_);
    record_.key_ = key;
    record_.value_ = value;
    record_.body_crc_ =
        crc32c(value, crc32c(key, crc32c({begin, static_cast<std::size_t>(end_ - begin)})));
  }

 private:
  EncodedRecord& record_;
  char* end_;
};

void store_chain(char* to, std::uint32_t chain) { store_little(to, chain); }

void EncodedRecord::copy_to(char* to, std::uint32_t chain) const {
  store_chain(to, chain);
  to += kChainBytes;
  const std::size_t head_bytes = kRecordHeadBytesMax - begin_ - left_;
  std::memcpy(to, head_.data() + begin_, head_bytes);
  to += head_bytes;
  // An empty view may have no address, which memcpy does not like.
  if (!key_.empty()) std::memcpy(to, key_.data(), key_.size());
  if (!value_.empty()) std::memcpy(to + key_.size(), value_.data(), value_.size());
}

void EncodedRecord::append_body(std::string* to) const {
  to->append(head_.data() + begin_, kRecordHeadBytesMax - begin_ - left_);
  to->append(key_).append(value_);
}

EncodedRecord encode(const Record& record) {
  VIGIL_CHECK(record.type != RecordType::kMark && record.type != RecordType::kContinued,
              "marks and the end of a segment are written by the log itself");
  const bool with_time = record.deadline_ms != cache::kNoDeadline;
  const auto kind =
      record.type == RecordType::kStored ? static_cast<std::uint32_t>(record.kind) : 0U;
  EncodedRecord encoded;
  HeadWriter head(encoded);
  head.byte(type_byte(record.type, kind, with_time, record.continues));
  head.varint(record.shard);
  head.varint(record.version);
  if (with_time) head.time(record.deadline_ms);
  if (record.type == RecordType::kStored) head.varint(record.key.size());
  head.finish(record.key, record.value);
  return encoded;
}

EncodedRecord encode_mark(const Mark& mark, Position position, const ChainKey& key) {
  const std::uint64_t distance = position - mark.durable;
  EncodedRecord encoded;
  HeadWriter head(encoded);
  head.byte(type_byte(RecordType::kMark, static_cast<std::uint32_t>(mark.cause), mark.time_ms != 0,
                      false));
  head.varint(distance);
  if (mark.time_ms != 0) head.time(mark.time_ms);
  head.proof(key.mark_proof(position, distance));
  head.finish({}, {});
  return encoded;
}

EncodedRecord encode_continued() {
  EncodedRecord encoded;
  HeadWriter head(encoded);
  head.byte(type_byte(RecordType::kContinued, 0, false, false));
  head.finish({}, {});
  return encoded;
}

// ---- Reading ----

namespace {

struct SizeField {
  std::size_t size;
  std::size_t field_bytes;
};

// Of the size at the front of a body.
std::optional<SizeField> read_size(std::string_view body) {
  const std::string_view front = body.substr(0, kSizeBytesMax);
  FieldReader reader(front);
  const std::uint64_t size = reader.varint();
  const std::size_t field_bytes = front.size() - reader.rest().size();
  if (!reader.good() || size == 0 || size + field_bytes > kRecordBytesMax - kChainBytes) return {};
  return SizeField{size, field_bytes};
}

}  // namespace

std::optional<std::uint32_t> record_bytes(std::string_view bytes) {
  if (bytes.size() < kChainBytes) return {};
  const std::optional<SizeField> size = read_size(bytes.substr(kChainBytes));
  if (!size) return {};
  return static_cast<std::uint32_t>(kChainBytes + size->field_bytes + size->size);
}

std::optional<RawBody> split_body(std::string_view bytes) {
  const std::optional<SizeField> size = read_size(bytes);
  if (!size || size->field_bytes + size->size > bytes.size()) return {};
  const std::string_view body = bytes.substr(0, size->field_bytes + size->size);
  return RawBody{body, body.substr(size->field_bytes)};
}

std::optional<RawRecord> split_record(std::string_view bytes) {
  if (bytes.size() < kChainBytes) return {};
  const std::optional<RawBody> raw = split_body(bytes.substr(kChainBytes));
  if (!raw) return {};
  return RawRecord{load_little<std::uint32_t>(bytes.data()), *raw};
}

bool verifies(const RawRecord& record, std::uint32_t before, Position position,
              const ChainKey& key) {
  return key.link(before, crc32c(record.raw.body), position) == record.chain;
}

RecordType type_of(std::string_view content) {
  return static_cast<RecordType>(static_cast<std::uint8_t>(content.front()) & kTypeMask);
}

std::optional<Record> decode(std::string_view content) {
  if (content.empty()) return {};
  const auto bits = static_cast<std::uint8_t>(content.front());
  Record record;
  record.type = static_cast<RecordType>(bits & kTypeMask);
  const std::uint32_t kind = bits >> kKindShift & kKindMask;
  const bool with_time = (bits & kTimeBit) != 0;
  const bool stored = record.type == RecordType::kStored;
  if ((bits & kUnusedBit) != 0 || (bits & kTypeMask) == 0 || record.type == RecordType::kMark ||
      (kind != 0 && !stored) || (with_time && !stored && record.type != RecordType::kDeadline)) {
    return {};
  }
  record.continues = (bits & kContinuesBit) != 0;
  FieldReader fields(content.substr(1));
  if (record.type == RecordType::kContinued) {
    if (record.continues || !fields.rest().empty()) return {};
    return record;
  }
  record.kind = static_cast<cache::Kind>(kind);
  const std::uint64_t shard = fields.varint();
  record.version = fields.varint();
  if (with_time) record.deadline_ms = fields.time();
  if (stored) {
    record.key = fields.take(fields.varint());
    record.value = fields.rest();
  } else {
    record.key = fields.rest();
  }
  if (!fields.good() || shard > UINT32_MAX || record.version > cache::kVersionMax ||
      record.key.size() > cache::kKeyBytesMax || record.value.size() > cache::kValueBytesMax ||
      record.deadline_ms > cache::kDeadlineMax_ms ||
      (with_time && record.deadline_ms == cache::kNoDeadline) ||
      (!has_key(record.type) && !record.key.empty())) {
    return {};
  }
  record.shard = static_cast<std::uint32_t>(shard);
  return record;
}

std::optional<Mark> decode_mark(std::string_view content, Position position, const ChainKey& key) {
  if (content.empty()) return {};
  const auto bits = static_cast<std::uint8_t>(content.front());
  const std::uint32_t cause = bits >> kKindShift & kKindMask;
  if (static_cast<RecordType>(bits & kTypeMask) != RecordType::kMark ||
      (bits & (kContinuesBit | kUnusedBit)) != 0 ||
      cause > static_cast<std::uint32_t>(MarkCause::kClosed)) {
    return {};
  }
  Mark mark;
  mark.cause = static_cast<MarkCause>(cause);
  FieldReader fields(content.substr(1));
  const std::uint64_t distance = fields.varint();
  if ((bits & kTimeBit) != 0) mark.time_ms = fields.time();
  const std::uint32_t proof = fields.proof();
  if (!fields.good() || !fields.rest().empty() || distance > position ||
      proof != key.mark_proof(position, distance)) {
    return {};
  }
  mark.durable = position - distance;
  return mark;
}

}  // namespace vigil::log
