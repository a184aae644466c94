// SPDX-License-Identifier: Apache-2.0
//
// Entry: how one key and its value lie in memory, and the two views through which code sees it.
//
//   byte 0            8                16       20          20 + key size
//   | w0              | w1             | ticket | key ...   | value ...
//   w0 = version:48 | key size:8 | flags:8        w1 = deadline ms:42 | value size:22
//
// A 16-byte key with a 100-byte value takes 136 bytes, a multiple of the slab's 8-byte granule.
// Keys over 254 bytes put their size into the first four key bytes (key size field = 255).
//
// Entries are written by the one writer of their shard and read at any time by everybody, so every
// access that may race is a word-sized atomic: release by the writer, acquire by the reader, which
// re-checks the sequence of the bucket that led it there before it trusts what it copied
// (index.h has the protocol).
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace vigil::cache {

enum class Kind : std::uint8_t {
  kString,       // set by SET and its relatives
  kOrder,        // an order record (order.h)
  kTombstone,    // a deleted or expired order: keeps its version, invisible to reads
  kIdempotency,  // the remembered answer to an idempotency key, invisible to reads
};

inline constexpr std::uint32_t kMaxValueBytes = (1U << 22) - 1;
inline constexpr std::uint32_t kMaxKeyBytes = 64U * 1024;
inline constexpr std::uint64_t kMaxVersion = (std::uint64_t{1} << 48) - 1;
inline constexpr std::int64_t kNoDeadline = 0;
inline constexpr std::int64_t kMaxDeadlineMs = (std::int64_t{1} << 42) - 1;  // the year 2109

using Word = std::atomic<std::uint64_t>;

// The fixed part of an entry, decoded.
struct EntryHeader {
  std::uint64_t version = 0;
  std::int64_t deadline_ms = kNoDeadline;
  std::uint32_t key_size = 0;
  std::uint32_t value_size = 0;
  Kind kind = Kind::kString;

  [[nodiscard]] bool expired(std::int64_t now_ms) const {
    return deadline_ms != kNoDeadline && deadline_ms <= now_ms;
  }
  [[nodiscard]] bool visible(std::int64_t now_ms) const {
    return kind <= Kind::kOrder && !expired(now_ms);
  }
};

// What a reader sees inside its copy callback. The header is consistent; the bytes that copy_*
// delivers are not to be interpreted before the read returned true, because the entry may be
// overwritten meanwhile and the callback run again.
class EntryReader {
 public:
  EntryReader(const char* entry, const EntryHeader& header, std::uint32_t key_offset)
      : entry_(entry), header_(header), key_offset_(key_offset) {}

  [[nodiscard]] const EntryHeader& header() const { return header_; }
  [[nodiscard]] std::uint32_t value_size() const { return header_.value_size; }

  // Writes exactly value_size() bytes; returns the end.
  char* copy_value(char* out) const { return copy_value(0, header_.value_size, out); }
  // REQUIRES: offset + size <= value_size().
  char* copy_value(std::uint32_t offset, std::uint32_t size, char* out) const {
    return copy_bytes(key_offset_ + header_.key_size + offset, size, out);
  }
  // Writes exactly header().key_size bytes; returns the end.
  char* copy_key(char* out) const { return copy_bytes(key_offset_, header_.key_size, out); }

 private:
  // Copies by aligned 8-byte atomic loads; `from` is relative to the (8-byte aligned) entry.
  char* copy_bytes(std::uint32_t from, std::uint32_t size, char* out) const;

  const char* entry_;
  EntryHeader header_;
  std::uint32_t key_offset_;
};

inline char* EntryReader::copy_bytes(std::uint32_t from, std::uint32_t size, char* out) const {
  const auto* word = reinterpret_cast<const Word*>(entry_) + from / 8;
  const std::uint32_t skip = from % 8;
  if (skip != 0 && size != 0) {
    const std::uint64_t bits = word++->load(std::memory_order_acquire) >> (8 * skip);
    const std::uint32_t part = size < 8 - skip ? size : 8 - skip;
    std::memcpy(out, &bits, part);
    out += part;
    size -= part;
  }
  for (; size >= 8; size -= 8, out += 8) {
    const std::uint64_t bits = word++->load(std::memory_order_acquire);
    std::memcpy(out, &bits, 8);
  }
  if (size != 0) {
    const std::uint64_t bits = word->load(std::memory_order_acquire);
    std::memcpy(out, &bits, size);
    out += size;
  }
  return out;
}

}  // namespace vigil::cache
