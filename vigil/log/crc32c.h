// SPDX-License-Identifier: Apache-2.0
//
// CRC-32C (Castagnoli, reflected 82F63B78; RFC 3720 B.4), by the processor where it can.
//
// The processor's instruction takes 8 bytes in one cycle with a latency of three, so long inputs
// are read in three lanes, joined by a carry-less multiplication. Chosen at the first call: SSE4.2
// with PCLMUL, SSE4.2 alone, or tables of eight bytes at a time (Sarwate 1988, Kounavis and Berry
// 2005). Where the compiler may use SSE4.2 anyway, short inputs are read without a call.
//
// It finds every change of up to 32 bits in a row. It resists no adversary.
//
// Thread safety: pure functions. Complexity: about 8 bytes in 3 cycles, 20 GB/s in long inputs.
#pragma once

#include <nmmintrin.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "vigil/log/little_endian.h"

namespace vigil::log {

// Of the bytes that had the CRC `before` and `bytes` behind them: crc32c(a + b) equals
// crc32c(b, crc32c(a)).
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

// One step of the register over 8 bytes, without the inversions before and after: for each word a
// one-to-one function of the state, and the other way round for either half of the word.
[[nodiscard]] std::uint32_t crc32c_step(std::uint32_t state, std::uint64_t word);

// The word whose step over 32 bits, from an empty register, gives that state.
[[nodiscard]] std::uint32_t crc32c_undo_word(std::uint32_t state);

// The implementations, for tests; REQUIRES: the processor has what it takes.
namespace internal {

using Crc32cRegister = std::uint32_t (*)(std::uint32_t state, const char* bytes, std::size_t size);

struct Crc32cImplementation {
  const char* name;
  bool available;
  Crc32cRegister extend;  // of the register, without inversions
};

[[nodiscard]] std::span<const Crc32cImplementation> crc32c_implementations();

// By the implementation that was chosen.
[[nodiscard]] std::uint32_t crc32c_extend(std::uint32_t state, const char* bytes, std::size_t size);

// By the instruction, one word after the other. REQUIRES: SSE4.2.
[[nodiscard, gnu::target("sse4.2")]] inline std::uint32_t crc32c_extend_by_sse42(
    std::uint32_t state, const char* bytes, std::size_t size) {
  std::uint64_t wide = state;
  for (; size >= 8; bytes += 8, size -= 8) {
    wide = _mm_crc32_u64(wide, load_little<std::uint64_t>(bytes));
  }
  state = static_cast<std::uint32_t>(wide);
  if ((size & 4) != 0) {
    state = _mm_crc32_u32(state, load_little<std::uint32_t>(bytes));
    bytes += 4;
  }
  if ((size & 2) != 0) {
    state = _mm_crc32_u16(state, load_little<std::uint16_t>(bytes));
    bytes += 2;
  }
  return (size & 1) != 0 ? _mm_crc32_u8(state, static_cast<std::uint8_t>(*bytes)) : state;
}

}  // namespace internal

// ---- Implementation details below ----

inline std::uint32_t crc32c(std::string_view bytes, std::uint32_t before) {
#ifdef __SSE4_2__
  constexpr std::size_t kShortBytesMax = 512;
  if (bytes.size() <= kShortBytesMax) {
    return ~internal::crc32c_extend_by_sse42(~before, bytes.data(), bytes.size());
  }
#endif
  return ~internal::crc32c_extend(~before, bytes.data(), bytes.size());
}

inline std::uint32_t crc32c_step(std::uint32_t state, std::uint64_t word) {
#ifdef __SSE4_2__
  return static_cast<std::uint32_t>(_mm_crc32_u64(state, word));
#else
  return internal::crc32c_extend(state, reinterpret_cast<const char*>(&word), sizeof word);
#endif
}

}  // namespace vigil::log
