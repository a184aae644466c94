// SPDX-License-Identifier: Apache-2.0
#include "vigil/base/md5.h"

#include <bit>
#include <cstddef>
#include <cstring>

namespace vigil {
namespace {

using State = std::array<std::uint32_t, 4>;

constexpr std::size_t kBlockBytes = 64;
constexpr std::size_t kLengthBytes = 8;  // at the end of the last block
constexpr std::uint32_t kSteps = 64;

// The first 32 bits of |sin(i + 1)| behind the point.
constexpr std::array<std::uint32_t, kSteps> kSines = {
    0xD76AA478, 0xE8C7B756, 0x242070DB, 0xC1BDCEEE, 0xF57C0FAF, 0x4787C62A, 0xA8304613, 0xFD469501,
    0x698098D8, 0x8B44F7AF, 0xFFFF5BB1, 0x895CD7BE, 0x6B901122, 0xFD987193, 0xA679438E, 0x49B40821,
    0xF61E2562, 0xC040B340, 0x265E5A51, 0xE9B6C7AA, 0xD62F105D, 0x02441453, 0xD8A1E681, 0xE7D3FBC8,
    0x21E1CDE6, 0xC33707D6, 0xF4D50D87, 0x455A14ED, 0xA9E3E905, 0xFCEFA3F8, 0x676F02D9, 0x8D2A4C8A,
    0xFFFA3942, 0x8771F681, 0x6D9D6122, 0xFDE5380C, 0xA4BEEA44, 0x4BDECFA9, 0xF6BB4B60, 0xBEBFBC70,
    0x289B7EC6, 0xEAA127FA, 0xD4EF3085, 0x04881D05, 0xD9D4D039, 0xE6DB99E5, 0x1FA27CF8, 0xC4AC5665,
    0xF4292244, 0x432AFF97, 0xAB9423A7, 0xFC93A039, 0x655B59C3, 0x8F0CCC92, 0xFFEFF47D, 0x85845DD1,
    0x6FA87E4F, 0xFE2CE6E0, 0xA3014314, 0x4E0811A1, 0xF7537E82, 0xBD3AF235, 0x2AD7D2BB, 0xEB86D391,
};
// By how many bits the steps of a round turn, four in turn.
constexpr std::array<std::array<int, 4>, 4> kTurns = {
    {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}}};

// What a step mixes, and which word of the block it takes.
struct Step {
  std::uint32_t mixed;
  std::uint32_t word;
};
constexpr Step step_of(std::uint32_t n, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  switch (n / 16) {
    case 0:
      return {(b & c) | (~b & d), n % 16};
    case 1:
      return {(b & d) | (c & ~d), (5 * n + 1) % 16};
    case 2:
      return {b ^ c ^ d, (3 * n + 5) % 16};
    default:
      return {c ^ (b | ~d), 7 * n % 16};
  }
}

void add_block(State& state, const char* block) noexcept {
  static_assert(std::endian::native == std::endian::little);
  std::array<std::uint32_t, 16> words;
  std::memcpy(words.data(), block, kBlockBytes);
  auto [a, b, c, d] = state;
  for (std::uint32_t n = 0; n < kSteps; ++n) {
    const Step step = step_of(n, b, c, d);
    const std::uint32_t sum = a + step.mixed + kSines[n] + words[step.word];
    a = d;
    d = c;
    c = b;
    b += std::rotl(sum, kTurns[n / 16][n % 4]);
  }
  state = {state[0] + a, state[1] + b, state[2] + c, state[3] + d};
}

}  // namespace

Md5Digest md5(std::string_view bytes) noexcept {
  State state = {0x67452301U, 0xEFCDAB89U, 0x98BADCFEU, 0x10325476U};
  std::string_view rest = bytes;
  for (; rest.size() >= kBlockBytes; rest.remove_prefix(kBlockBytes)) {
    add_block(state, rest.data());
  }
  // The rest, a one bit, zeros, and the length in bits.
  std::array<char, 2 * kBlockBytes> end{};
  std::memcpy(end.data(), rest.data(), rest.size());
  end[rest.size()] = static_cast<char>(0x80);
  const std::size_t size =
      rest.size() + 1 + kLengthBytes <= kBlockBytes ? kBlockBytes : 2 * kBlockBytes;
  const std::uint64_t bits = std::uint64_t{bytes.size()} * 8;
  std::memcpy(end.data() + size - kLengthBytes, &bits, kLengthBytes);
  for (std::size_t at = 0; at < size; at += kBlockBytes) add_block(state, end.data() + at);
  Md5Digest digest;
  std::memcpy(digest.data(), state.data(), digest.size());
  return digest;
}

}  // namespace vigil
