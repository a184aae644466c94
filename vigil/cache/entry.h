// SPDX-License-Identifier: Apache-2.0
//
// Entry: how one key and its value lie in memory, and the two views through which code sees it.
//
//   byte 0            8                16       20          20 + key size
//   | w0              | w1             | ticket | key ...   | value ...
//   w0 = version:48 | key size:8 | kind:8         w1 = deadline ms:42 | value size:22
//
// A 16-byte key with a 100-byte value takes 136 bytes, a multiple of the slab's 8-byte granule.
// Keys over 254 bytes put their size into the first four key bytes (key size field = 255).
//
// Thread safety: entries are written by the one writer of their shard and read at any time by any
// thread, so every access that may race is a word-sized atomic: release by the writer, acquire by
// the reader, which re-checks the sequence of the bucket that led it there before it trusts what it
// copied (index.h has the protocol).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace vigil::cache {

enum class Kind : std::uint8_t {
  kString,       // set by SET and its relatives
  kOrder,        // an order (vigil/orders)
  kTombstone,    // a deleted or expired order: keeps its version, invisible to reads
  kIdempotency,  // the remembered answer to an idempotency key, invisible to reads
};

inline constexpr std::size_t kKinds = 4;

// Widths of the packed fields.
inline constexpr std::uint32_t kKindBits = 8;
inline constexpr std::uint32_t kKeySizeBits = 8;
inline constexpr std::uint32_t kVersionBits = 48;
inline constexpr std::uint32_t kValueSizeBits = 22;
inline constexpr std::uint32_t kDeadlineBits = 42;
static_assert(kKindBits + kKeySizeBits + kVersionBits == 64);
static_assert(kValueSizeBits + kDeadlineBits == 64);

inline constexpr std::uint32_t kValueBytesMax = (1U << kValueSizeBits) - 1;
inline constexpr std::uint32_t kKeyBytesMax = 64U * 1024;
inline constexpr std::uint64_t kVersionMax = (std::uint64_t{1} << kVersionBits) - 1;
inline constexpr std::int64_t kNoDeadline = 0;
inline constexpr std::int64_t kDeadlineMax_ms =
    (std::int64_t{1} << kDeadlineBits) - 1;  // the year 2109

using Word = std::atomic<std::uint64_t>;

// The fixed part of an entry, decoded.
struct EntryHeader {
  std::uint64_t version = 0;
  std::int64_t deadline_ms = kNoDeadline;
  std::uint32_t key_size = 0;
  std::uint32_t value_size = 0;
  Kind kind = Kind::kString;

  bool operator==(const EntryHeader&) const = default;
  [[nodiscard]] bool expired(std::int64_t now_ms) const {
    return deadline_ms != kNoDeadline && deadline_ms <= now_ms;
  }
  // Of a kind that reads never show.
  [[nodiscard]] bool hidden() const { return kind > Kind::kOrder; }
  [[nodiscard]] bool visible(std::int64_t now_ms) const { return !hidden() && !expired(now_ms); }
};

// Offsets and packing of the fixed part.
inline constexpr std::uint32_t kEntryHeaderBytes = 20;
inline constexpr std::uint32_t kTicketWord = 2;  // low half: ticket, high half: key bytes 0..3
inline constexpr std::uint32_t kLongKeyMark = (1U << kKeySizeBits) - 1;
inline constexpr std::uint32_t kLongKeySizeBytes = 4;

[[nodiscard]] constexpr std::uint32_t key_offset(std::uint32_t key_size) {
  return key_size < kLongKeyMark ? kEntryHeaderBytes : kEntryHeaderBytes + kLongKeySizeBytes;
}
[[nodiscard]] constexpr std::uint32_t entry_bytes(std::uint32_t key_size,
                                                  std::uint32_t value_size) {
  return key_offset(key_size) + key_size + value_size;
}

[[nodiscard]] inline Word* entry_words(char* entry) { return reinterpret_cast<Word*>(entry); }
[[nodiscard]] inline const Word* entry_words(const char* entry) {
  return reinterpret_cast<const Word*>(entry);
}

[[nodiscard]] inline std::uint64_t pack_identity(const EntryHeader& header) {
  const std::uint64_t size = header.key_size < kLongKeyMark ? header.key_size : kLongKeyMark;
  return header.version << (kKeySizeBits + kKindBits) | size << kKindBits |
         static_cast<std::uint64_t>(header.kind);
}
[[nodiscard]] inline std::uint64_t pack_extent(const EntryHeader& header) {
  return static_cast<std::uint64_t>(header.deadline_ms) << kValueSizeBits | header.value_size;
}

// Decodes by atomic loads. While a writer is active the fields may not belong together, but sizes
// never lead outside the arena and its guard (slab.h).
[[nodiscard]] inline EntryHeader load_header(const char* entry) {
  const Word* words = entry_words(entry);
  const std::uint64_t identity = words[0].load(std::memory_order_acquire);
  const std::uint64_t extent = words[1].load(std::memory_order_acquire);
  EntryHeader header;
  header.version = identity >> (kKeySizeBits + kKindBits);
  header.key_size = static_cast<std::uint32_t>(identity >> kKindBits & kLongKeyMark);
  header.kind = static_cast<Kind>(identity % kKinds);
  header.deadline_ms = static_cast<std::int64_t>(extent >> kValueSizeBits);
  header.value_size = static_cast<std::uint32_t>(extent & kValueBytesMax);
  if (header.key_size == kLongKeyMark) [[unlikely]] {
    const auto size =
        static_cast<std::uint32_t>(words[kTicketWord].load(std::memory_order_acquire) >> 32);
    header.key_size = size < kKeyBytesMax ? size : kKeyBytesMax;
  }
  return header;
}

// What a reader sees inside its copy callback. The header is consistent; the bytes that copy_*
// delivers are not to be interpreted before the read returned true, because the entry may be
// overwritten meanwhile and the callback run again.
class EntryReader {
 public:
  EntryReader(const char* entry, const EntryHeader& header) : entry_(entry), header_(header) {}

  [[nodiscard]] const EntryHeader& header() const { return header_; }
  [[nodiscard]] std::uint32_t value_size() const { return header_.value_size; }

  // Writes exactly value_size() bytes; returns the end.
  char* copy_value(char* out) const { return copy_value(0, header_.value_size, out); }
  // REQUIRES: offset + size <= value_size().
  char* copy_value(std::uint32_t offset, std::uint32_t size, char* out) const {
    return copy_bytes(key_offset(header_.key_size) + header_.key_size + offset, size, out);
  }
  // Writes exactly header().key_size bytes; returns the end.
  char* copy_key(char* out) const {
    return copy_bytes(key_offset(header_.key_size), header_.key_size, out);
  }
  [[nodiscard]] bool key_equals(std::string_view key) const;

 private:
  // Copies by aligned 8-byte atomic loads; `from` is relative to the (8-byte aligned) entry.
  char* copy_bytes(std::uint32_t from, std::uint32_t size, char* out) const;

  const char* entry_;
  EntryHeader header_;
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

// Compares by aligned 8-byte atomic loads, eight key bytes at a time.
inline bool EntryReader::key_equals(std::string_view key) const {
  if (header_.key_size != key.size()) return false;
  const std::uint32_t from = key_offset(header_.key_size);
  const char* expected = key.data();
  std::size_t size = key.size();
  const Word* word = entry_words(entry_) + from / 8;
  if (from % 8 != 0) {
    // Short keys start in the upper half of the ticket word.
    const std::uint64_t bits = word++->load(std::memory_order_acquire) >> 32;
    std::uint32_t wanted = 0;
    const std::size_t part = size < 4 ? size : 4;
    std::memcpy(&wanted, expected, part);
    const std::uint64_t mask = (std::uint64_t{1} << (8 * part)) - 1;
    if ((bits & mask) != wanted) return false;
    expected += part;
    size -= part;
  }
  for (; size >= 8; size -= 8, expected += 8) {
    std::uint64_t wanted = 0;
    std::memcpy(&wanted, expected, 8);
    if (word++->load(std::memory_order_acquire) != wanted) return false;
  }
  if (size == 0) return true;
  std::uint64_t wanted = 0;
  std::memcpy(&wanted, expected, size);
  const std::uint64_t mask = (std::uint64_t{1} << (8 * size)) - 1;
  return (word->load(std::memory_order_acquire) & mask) == wanted;
}

// Writer only: the bytes in place. Valid until the entry is changed.
[[nodiscard]] inline std::string_view key_in_place(const char* entry, const EntryHeader& header) {
  return {entry + key_offset(header.key_size), header.key_size};
}
[[nodiscard]] inline std::string_view value_in_place(const char* entry, const EntryHeader& header) {
  return {entry + key_offset(header.key_size) + header.key_size, header.value_size};
}

// The identity of the entry's one valid wheel ticket, 0 if it has none (timing_wheel.h).
[[nodiscard]] inline std::uint32_t load_ticket(const char* entry) {
  return static_cast<std::uint32_t>(
      entry_words(entry)[kTicketWord].load(std::memory_order_acquire));
}
// Writer only; needs no open bucket, for readers ignore the ticket.
inline void store_ticket(char* entry, std::uint32_t ticket) {
  Word& word = entry_words(entry)[kTicketWord];
  const std::uint64_t kept = word.load(std::memory_order_relaxed) & ~std::uint64_t{0xFFFFFFFF};
  word.store(kept | ticket, std::memory_order_release);
}

// Writer only: stores bytes by aligned 8-byte atomic stores. Pieces of an entry are written front
// to back: the last word is filled up with zeros.
inline void store_bytes(char* entry, std::uint32_t at, std::string_view bytes) {
  Word* word = entry_words(entry) + at / 8;
  const std::uint32_t skip = at % 8;
  const char* from = bytes.data();
  std::size_t size = bytes.size();
  if (skip != 0 && size != 0) {
    const std::size_t part = size < 8 - skip ? size : 8 - skip;
    std::uint64_t added = 0;
    std::memcpy(&added, from, part);
    const std::uint64_t kept =
        word->load(std::memory_order_relaxed) & ((std::uint64_t{1} << (8 * skip)) - 1);
    word++->store(kept | added << (8 * skip), std::memory_order_release);
    from += part;
    size -= part;
  }
  for (; size >= 8; size -= 8, from += 8) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, from, 8);
    word++->store(bits, std::memory_order_release);
  }
  if (size != 0) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, from, size);
    word->store(bits, std::memory_order_release);
  }
}

}  // namespace vigil::cache
