// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/crc32c.h"

#include <immintrin.h>

#include <array>
#include <atomic>

#include "vigil/log/little_endian.h"

namespace vigil::log {
namespace {

using internal::Crc32cImplementation;
using internal::Crc32cRegister;

constexpr std::uint32_t kPolynomial = 0x82F63B78;

// The register times x, reflected: the next bit is a zero.
constexpr std::uint32_t times_x(std::uint32_t state) {
  return state >> 1 ^ ((state & 1) != 0 ? kPolynomial : 0);
}

// ---- Tables ----

// [k][b] is what the byte b does to the register when k more bytes follow.
using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t state = byte;
    for (int bit = 0; bit < 8; ++bit) state = times_x(state);
    tables[0][byte] = state;
  }
  for (std::size_t k = 1; k < tables.size(); ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[k - 1][byte];
      tables[k][byte] = before >> 8 ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

std::uint32_t extend_by_tables(std::uint32_t state, const char* bytes, std::size_t size) {
  for (; size >= 8; bytes += 8, size -= 8) {
    const std::uint64_t word = load_little<std::uint64_t>(bytes) ^ state;
    state = 0;
    for (std::size_t k = 0; k < 8; ++k) state ^= kTables[7 - k][word >> (8 * k) & 0xFF];
  }
  for (; size > 0; ++bytes, --size) {
    state = state >> 8 ^ kTables[0][(state ^ static_cast<std::uint8_t>(*bytes)) & 0xFF];
  }
  return state;
}

// ---- SSE4.2 ----

[[gnu::target("sse4.2")]] inline std::uint32_t step(std::uint32_t state, std::uint64_t word) {
  return static_cast<std::uint32_t>(_mm_crc32_u64(state, word));
}

// ---- SSE4.2 and PCLMUL ----

constexpr std::size_t kLaneBytes = 256;

// x to the power of n, reflected.
constexpr std::uint32_t power_of_x(std::size_t n) {
  std::uint32_t power = 0x80000000;
  while (n-- > 0) power = times_x(power);
  return power;
}

// The register after `kBytes` more zero bytes. The product of two reflected polynomials is short of
// a factor x, and the instruction that reduces it multiplies by x^32: hence 33.
template <std::size_t kBytes>
[[gnu::target("sse4.2,pclmul")]] std::uint32_t after_zeroes(std::uint32_t state) {
  constexpr std::uint32_t kFactor = power_of_x(8 * kBytes - 33);
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(state)),
                                               _mm_cvtsi64_si128(kFactor), 0);
  return step(0, static_cast<std::uint64_t>(_mm_cvtsi128_si64(product)));
}

[[gnu::target("sse4.2,pclmul")]] std::uint32_t extend_by_lanes(std::uint32_t state,
                                                               const char* bytes,
                                                               std::size_t size) {
  for (; size >= 3 * kLaneBytes; bytes += 3 * kLaneBytes, size -= 3 * kLaneBytes) {
    std::uint32_t second = 0;
    std::uint32_t third = 0;
    for (std::size_t i = 0; i < kLaneBytes; i += 8) {
      state = step(state, load_little<std::uint64_t>(bytes + i));
      second = step(second, load_little<std::uint64_t>(bytes + kLaneBytes + i));
      third = step(third, load_little<std::uint64_t>(bytes + 2 * kLaneBytes + i));
    }
    state = after_zeroes<2 * kLaneBytes>(state) ^ after_zeroes<kLaneBytes>(second) ^ third;
  }
  return internal::crc32c_extend_by_sse42(state, bytes, size);
}

// ---- The choice ----

std::uint32_t choose_and_extend(std::uint32_t state, const char* bytes, std::size_t size);

// Relaxed: each value is right, and what it points to is code.
constinit std::atomic<Crc32cRegister> chosen{&choose_and_extend};

std::uint32_t choose_and_extend(std::uint32_t state, const char* bytes, std::size_t size) {
  for (const Crc32cImplementation& implementation : internal::crc32c_implementations()) {
    if (!implementation.available) continue;
    chosen.store(implementation.extend, std::memory_order_relaxed);
    break;
  }
  return chosen.load(std::memory_order_relaxed)(state, bytes, size);
}

// The register before a step whose bit was a zero: the highest bit says whether it was reduced.
constexpr std::uint32_t before_times_x(std::uint32_t state) {
  const std::uint32_t reduced = state >> 31;
  return (state ^ (reduced != 0 ? kPolynomial : 0)) << 1 | reduced;
}

}  // namespace

std::span<const Crc32cImplementation> internal::crc32c_implementations() {
  static const bool sse42 = __builtin_cpu_supports("sse4.2") != 0;
  static const bool lanes = sse42 && __builtin_cpu_supports("pclmul") != 0;
  static const std::array<Crc32cImplementation, 3> implementations = {{
      {"SSE4.2 and PCLMUL", lanes, &extend_by_lanes},
      {"SSE4.2", sse42, &internal::crc32c_extend_by_sse42},
      {"tables", true, &extend_by_tables},
  }};
  return implementations;
}

std::uint32_t crc32c_undo_word(std::uint32_t state) {
  for (int bit = 0; bit < 32; ++bit) state = before_times_x(state);
  return state;
}

std::uint32_t internal::crc32c_extend(std::uint32_t state, const char* bytes, std::size_t size) {
  return chosen.load(std::memory_order_relaxed)(state, bytes, size);
}

}  // namespace vigil::log
