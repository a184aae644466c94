// SPDX-License-Identifier: Apache-2.0
//
// Byte-stable hashes, chosen by name: the same bytes give the same value in every process, release
// and machine, whatever the text encoding, so a hash may route an order id to a shard and be
// agreed upon by several servers. Golden values in hash_test.cc pin them.
//
//   xxh3    XXH3 64-bit (libxxhash); the default
//   md5-8   the first 8 bytes of the MD5 digest, big-endian
//   crc32   CRC-32/ISO-HDLC (zlib, Go's crc32.ChecksumIEEE); 32 significant bits
//
// None of them resists an adversary: a table that stores peer-chosen keys uses seeded_hash() with a
// seed of its own for its buckets.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "vigil/base/result.h"

namespace vigil {

enum class HashAlgorithm : std::uint8_t { kXxh3, kMd5, kCrc32 };

[[nodiscard]] std::string_view hash_algorithm_name(HashAlgorithm algorithm);
[[nodiscard]] Result<HashAlgorithm> parse_hash_algorithm(std::string_view name);

[[nodiscard]] std::uint64_t md5_8(std::string_view bytes);
[[nodiscard]] std::uint32_t crc32(std::string_view bytes);

[[nodiscard]] inline std::uint64_t xxh3(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

// XXH3 under a secret seed: not byte-stable across processes, on purpose.
[[nodiscard]] inline std::uint64_t seeded_hash(std::string_view bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

[[nodiscard]] inline std::uint64_t stable_hash(HashAlgorithm algorithm, std::string_view bytes) {
  switch (algorithm) {
    case HashAlgorithm::kXxh3:
      return xxh3(bytes);
    case HashAlgorithm::kMd5:
      return md5_8(bytes);
    case HashAlgorithm::kCrc32:
      return crc32(bytes);
  }
  VIGIL_CHECK(false, "unknown HashAlgorithm value");
}

}  // namespace vigil
