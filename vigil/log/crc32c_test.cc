// SPDX-License-Identifier: Apache-2.0
//
// crc32c: the published values, and every implementation against the plain definition.
#include "vigil/log/crc32c.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "vigil/base/random.h"
#include "vigil/testing/seed.h"

namespace vigil::log {
namespace {

// Bit by bit (RFC 3720).
std::uint32_t plain_crc32c(std::string_view bytes) {
  std::uint32_t state = ~0U;
  for (const char byte : bytes) {
    state ^= static_cast<std::uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) {
      state = state >> 1 ^ ((state & 1) != 0 ? 0x82F63B78U : 0U);
    }
  }
  return ~state;
}

std::string random_bytes(Random& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

TEST(Crc32cTest, PublishedValues) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);  // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43U);
  EXPECT_EQ(crc32c(""), 0U);
}

TEST(Crc32cTest, EveryImplementationIsThePlainDefinition) {
  Random random(vigil::testing::test_seed());
  const std::string bytes = random_bytes(random, 4096);
  for (const internal::Crc32cImplementation& implementation : internal::crc32c_implementations()) {
    if (!implementation.available) continue;
    for (std::size_t size = 0; size <= 2000; size += size < 64 ? 1 : 61) {
      for (const std::size_t begin : {0U, 1U, 7U}) {
        const std::string_view part = std::string_view(bytes).substr(begin, size);
        EXPECT_EQ(~implementation.extend(~0U, part.data(), part.size()), plain_crc32c(part))
            << implementation.name << ", " << size << " bytes from " << begin;
      }
    }
  }
}

TEST(Crc32cTest, ContinuesWhatWasBefore) {
  Random random(vigil::testing::test_seed());
  const std::string bytes = random_bytes(random, 3000);
  for (int i = 0; i < 200; ++i) {
    const std::size_t cut = random.below(bytes.size() + 1);
    const std::string_view all = bytes;
    EXPECT_EQ(crc32c(all.substr(cut), crc32c(all.substr(0, cut))), crc32c(all)) << cut;
  }
}

TEST(Crc32cTest, AStepIsEightBytesOfTheRegister) {
  const std::string_view bytes = "12345678";
  std::uint64_t word = 0;
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(&word));
  EXPECT_EQ(~crc32c_step(~0U, word), crc32c(bytes));
}

}  // namespace
}  // namespace vigil::log
