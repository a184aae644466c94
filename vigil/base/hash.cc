// SPDX-License-Identifier: Apache-2.0
#include "vigil/base/hash.h"

#include <array>
#include <string>

#include "vigil/base/md5.h"

namespace vigil {
namespace {

struct NamedAlgorithm {
  std::string_view name;
  HashAlgorithm algorithm;
};

constexpr std::array<NamedAlgorithm, 3> kAlgorithms{{
    {"xxh3", HashAlgorithm::kXxh3},
    {"md5-8", HashAlgorithm::kMd5},
    {"crc32", HashAlgorithm::kCrc32},
}};

// Slicing-by-one table of the reflected polynomial 0xEDB88320.
constexpr std::array<std::uint32_t, 256> make_crc32_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320U : 0U);
    }
    table[byte] = value;
  }
  return table;
}

constexpr std::array<std::uint32_t, 256> kCrc32Table = make_crc32_table();

}  // namespace

std::string_view hash_algorithm_name(HashAlgorithm algorithm) {
  for (const NamedAlgorithm& entry : kAlgorithms) {
    if (entry.algorithm == algorithm) return entry.name;
  }
  VIGIL_CHECK(false, "unknown HashAlgorithm value");
}

Result<HashAlgorithm> parse_hash_algorithm(std::string_view name) {
  for (const NamedAlgorithm& entry : kAlgorithms) {
    if (entry.name == name) return entry.algorithm;
  }
  return Error{"unknown hash algorithm '" + std::string(name) + "': use xxh3, md5-8 or crc32"};
}

std::uint64_t md5_8(std::string_view bytes) {
  const Md5Digest digest = md5(bytes);
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = (value << 8) | digest[static_cast<std::size_t>(i)];
  return value;
}

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t value = 0xFFFFFFFFU;
  for (const char c : bytes) {
    value = kCrc32Table[(value ^ static_cast<unsigned char>(c)) & 0xFFU] ^ (value >> 8);
  }
  return ~value;
}

}  // namespace vigil
