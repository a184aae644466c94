// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/record_window.h"

#include <algorithm>
#include <array>
#include <optional>

#include "vigil/log/record.h"
#include "vigil/log/segment.h"

namespace vigil::log {
namespace {

constexpr std::size_t kWindowBytes = std::size_t{1} << 20;

}  // namespace

Result<std::string_view> RecordWindow::at(std::uint64_t offset, std::size_t bytes) {
  if (offset < begin_ || offset + bytes > begin_ + size_) {
    const std::size_t window = std::min<std::uint64_t>(kWindowBytes, file_bytes_);
    buffer_.resize(std::max({buffer_.size(), window, bytes}));
    begin_ = offset;
    size_ = 0;
    const int error = file_.read(offset, buffer_.data(), buffer_.size(), &size_);
    if (error != 0) return describe(path_, "read", error);
  }
  const std::size_t skipped = std::min<std::size_t>(offset - begin_, size_);
  return std::string_view(buffer_.data() + skipped, size_ - skipped);
}

Result<std::string_view> RecordWindow::record_at(std::uint64_t offset) {
  const Result<std::string_view> front = at(offset, kChainBytes + kSizeBytesMax);
  if (!front) return front.error();
  const std::optional<std::uint32_t> size = record_bytes(*front);
  if (!size || *size <= front->size()) return front;
  return at(offset, *size);
}

Result<bool> ends_with_zeroes(File& file, const std::string& path, std::uint64_t offset) {
  std::array<char, kTerminatorBytes> bytes{};
  std::size_t count = 0;
  const int error = file.read(offset, bytes.data(), bytes.size(), &count);
  if (error != 0) return describe(path, "read", error);
  return std::all_of(bytes.begin(), bytes.begin() + count, [](char c) { return c == 0; });
}

}  // namespace vigil::log
