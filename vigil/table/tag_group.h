// SPDX-License-Identifier: Apache-2.0
//
// TagGroup<kTags>: up to 16 one-byte tags compared with one key's tag in a single step (the group
// probing of Google's Swiss tables, Kulukundis, CppCon 2017), safe while a writer changes them.
//
//   bytes 0..7 in word 0, bytes 8..15 in word 1; tag i is byte i; bytes from kTags on are not
//   tags and never match (a sequence number or an overflow byte may live there)
//
// A group is read by two 64-bit atomic loads, not by one 16-byte load that ThreadSanitizer and the
// language would call a race, so a snapshot may mix two moments: each tag alone is a value that
// was stored. A match is a hint; the reader confirms it by the slot itself under its sequence.
//
// Memory order: load() is an acquire of both words; it pairs with the release in store_tag(), so
// whoever sees a tag sees the slot that was filled before it.
#pragma once

#include <emmintrin.h>
#if defined(__SSSE3__)
#include <tmmintrin.h>
#endif

#include <atomic>
#include <bit>
#include <cstdint>

namespace vigil::table {

// The set of matching positions, iterable from the lowest up.
class BitMask {
 public:
  class iterator {
   public:
    explicit iterator(std::uint32_t bits) noexcept : bits_(bits) {}
    std::uint32_t operator*() const noexcept {
      return static_cast<std::uint32_t>(std::countr_zero(bits_));
    }
    iterator& operator++() noexcept {
      bits_ &= bits_ - 1;
      return *this;
    }
    bool operator==(const iterator&) const = default;

   private:
    std::uint32_t bits_;
  };

  explicit BitMask(std::uint32_t bits) noexcept : bits_(bits) {}

  [[nodiscard]] iterator begin() const noexcept { return iterator(bits_); }
  [[nodiscard]] iterator end() const noexcept { return iterator(0); }
  explicit operator bool() const noexcept { return bits_ != 0; }
  [[nodiscard]] std::uint32_t bits() const noexcept { return bits_; }
  [[nodiscard]] std::uint32_t count() const noexcept {
    return static_cast<std::uint32_t>(std::popcount(bits_));
  }
  // The lowest position. REQUIRES: not empty.
  [[nodiscard]] std::uint32_t first() const noexcept { return *begin(); }

 private:
  std::uint32_t bits_;
};

// A tag that is never kFree, from eight bits of a hash that take no part in choosing the group.
[[nodiscard]] constexpr std::uint8_t tag_from_bits(std::uint8_t bits) noexcept {
  return bits == 0 ? std::uint8_t{1} : bits;
}

// A tag sixteen times, to be compared with groups.
class TagPattern {
 public:
  explicit TagPattern(std::uint8_t tag) noexcept : bytes_(_mm_set1_epi8(static_cast<char>(tag))) {}
  // That of tag_from_bits() of byte `kByte` of the hash.
  template <int kByte>
  [[nodiscard]] static TagPattern from_hash(std::uint64_t hash) noexcept {
#if defined(__SSSE3__)  // keeps the byte in vector registers
    const __m128i word = _mm_cvtsi64_si128(static_cast<long long>(hash));
    return TagPattern(_mm_max_epu8(_mm_shuffle_epi8(word, _mm_set1_epi8(kByte)), _mm_set1_epi8(1)));
#else
    return TagPattern(tag_from_bits(static_cast<std::uint8_t>(hash >> (8 * kByte))));
#endif
  }
  [[nodiscard]] __m128i bytes() const noexcept { return bytes_; }

 private:
  explicit TagPattern(__m128i bytes) noexcept : bytes_(bytes) {}

  __m128i bytes_;
};

// Tag 0 marks a free position. A copy of the words at one moment, held in a register.
template <std::uint32_t kTags = 16>
class TagGroup {
 public:
  static_assert(kTags >= 1 && kTags <= 16);
  static constexpr std::uint8_t kFree = 0;
  static constexpr std::uint32_t kMask = (std::uint32_t{1} << kTags) - 1;
  using Word = std::atomic<std::uint64_t>;

  // Reads words[0] and words[1].
  static TagGroup load(const Word* words) noexcept {
    return TagGroup(words[0].load(std::memory_order_acquire),
                    words[1].load(std::memory_order_acquire));
  }
  TagGroup(std::uint64_t low, std::uint64_t high) noexcept
      : tags_(_mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low))) {}

  [[nodiscard]] BitMask match(std::uint8_t tag) const noexcept { return match(TagPattern(tag)); }
  [[nodiscard]] BitMask match(TagPattern pattern) const noexcept {
    const __m128i equal = _mm_cmpeq_epi8(tags_, pattern.bytes());
    return BitMask(static_cast<std::uint32_t>(_mm_movemask_epi8(equal)) & kMask);
  }
  [[nodiscard]] BitMask match_free() const noexcept { return match(kFree); }
  [[nodiscard]] BitMask match_used() const noexcept {
    return BitMask(~match_free().bits() & kMask);
  }

  // Stores tag `position`. REQUIRES: the caller is the only writer of the group.
  static void store_tag(Word* words, std::uint32_t position, std::uint8_t tag) noexcept {
    Word& word = words[position / 8];
    const std::uint32_t shift = position % 8 * 8;
    const std::uint64_t others =
        word.load(std::memory_order_relaxed) & ~(std::uint64_t{0xFF} << shift);
    word.store(others | std::uint64_t{tag} << shift, std::memory_order_release);
  }
  [[nodiscard]] static std::uint8_t tag_at(const Word* words, std::uint32_t position) noexcept {
    return static_cast<std::uint8_t>(words[position / 8].load(std::memory_order_acquire) >>
                                     (position % 8 * 8));
  }

 private:
  __m128i tags_;
};

}  // namespace vigil::table
