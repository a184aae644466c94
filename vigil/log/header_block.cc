// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/header_block.h"

#include <algorithm>
#include <cstring>

#include "vigil/base/check.h"
#include "vigil/log/crc32c.h"
#include "vigil/log/little_endian.h"

namespace vigil::log {
namespace {

constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kSizeAt = 12;
constexpr std::size_t kCrcAt = kHeaderBlockBytes - 4;

bool has_its_crc(std::string_view bytes) {
  return bytes.size() >= kHeaderBlockBytes &&
         crc32c(bytes.substr(0, kCrcAt)) == load_little<std::uint32_t>(bytes.data() + kCrcAt);
}

std::uint32_t version_of(std::string_view bytes) {
  return load_little<std::uint32_t>(bytes.data() + kVersionAt);
}

}  // namespace

HeaderBlock::HeaderBlock(std::string_view magic) : bytes_(kHeaderBlockBytes, '\0') {
  std::memcpy(bytes_.data(), magic.data(), magic.size());
  put32(kVersionAt, kFormatVersion);
  put32(kSizeAt, kHeaderBlockBytes);
}

void HeaderBlock::put32(std::size_t at, std::uint32_t value) {
  store_little(bytes_.data() + at, value);
}

void HeaderBlock::put64(std::size_t at, std::uint64_t value) {
  store_little(bytes_.data() + at, value);
}

void HeaderBlock::put_name(std::size_t at, std::string_view name) {
  VIGIL_CHECK(name.size() <= kHashNameBytesMax, "the hash's name is longer than a header holds");
  put32(at, static_cast<std::uint32_t>(name.size()));
  std::copy(name.begin(), name.end(), bytes_.data() + at + 4);
}

std::string HeaderBlock::finish() {
  put32(kCrcAt, crc32c({bytes_.data(), kCrcAt}));
  return std::move(bytes_);
}

bool is_newer_format(std::string_view bytes) {
  return has_its_crc(bytes) && version_of(bytes) > kFormatVersion;
}

Result<HeaderView> HeaderView::check(std::string_view bytes, std::string_view magic,
                                     std::string_view what) {
  if (bytes.size() < kHeaderBlockBytes) {
    return Error{"it ends inside its header, after " + std::to_string(bytes.size()) + " of " +
                 std::to_string(kHeaderBlockBytes) + " bytes"};
  }
  const HeaderView view(bytes.substr(0, kHeaderBlockBytes));
  // The CRC first: what a flipped bit made of magic or version is no message to go by.
  if (!has_its_crc(bytes)) {
    return Error{"its header is damaged: the checksum is not the one of its bytes"};
  }
  if (bytes.substr(0, magic.size()) != magic) {
    return Error{"it is not " + std::string(what)};
  }
  if (is_newer_format(bytes)) {
    return Error{"it has format " + std::to_string(version_of(bytes)) +
                 ", this program reads formats up to " + std::to_string(kFormatVersion) +
                 ": use the version that wrote it, or a later one"};
  }
  return view;
}

std::uint32_t HeaderView::get32(std::size_t at) const {
  return load_little<std::uint32_t>(bytes_.data() + at);
}

std::uint64_t HeaderView::get64(std::size_t at) const {
  return load_little<std::uint64_t>(bytes_.data() + at);
}

std::string HeaderView::get_name(std::size_t at) const {
  const std::size_t size = std::min<std::size_t>(get32(at), kHashNameBytesMax);
  return std::string(bytes_.substr(at + 4, size));
}

}  // namespace vigil::log
