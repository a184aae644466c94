// SPDX-License-Identifier: Apache-2.0
//
// The block with which segments and snapshots begin: magic 8, format version 4, size 4, fields at
// fixed places, and at its very end the CRC-32C of all before it.
//
// Thread safety: plain values. A HeaderView refers to the caller's bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "vigil/base/result.h"

namespace vigil::log {

// Of the directory and all files in it.
inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::size_t kHeaderBlockBytes = 4096;
inline constexpr std::size_t kHashNameBytesMax = 16;

class HeaderBlock {
 public:
  explicit HeaderBlock(std::string_view magic);

  void put32(std::size_t at, std::uint32_t value);
  void put64(std::size_t at, std::uint64_t value);
  // Its size in 4 bytes, then 16 bytes of name.
  void put_name(std::size_t at, std::string_view name);
  [[nodiscard]] std::string finish();

 private:
  std::string bytes_;
};

// Whether a block, magic and CRC of which are right, is of a later format.
[[nodiscard]] bool is_newer_format(std::string_view bytes);

class HeaderView {
 public:
  // The error says that the block is cut off, damaged, no `what`, or of a newer format.
  static Result<HeaderView> check(std::string_view bytes, std::string_view magic,
                                  std::string_view what);

  [[nodiscard]] std::uint32_t get32(std::size_t at) const;
  [[nodiscard]] std::uint64_t get64(std::size_t at) const;
  [[nodiscard]] std::string get_name(std::size_t at) const;

 private:
  explicit HeaderView(std::string_view bytes) : bytes_(bytes) {}

  std::string_view bytes_;
};

}  // namespace vigil::log
