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
  const std::uint64_t needed_end = std::min<std::uint64_t>(offset + bytes, file_bytes_);
  if (offset < begin_ || needed_end > begin_ + size_) {
    // Twice what is asked for: who goes forward by small steps reads each byte twice at most.
    const std::size_t window = std::max(kWindowBytes, 2 * bytes);
    buffer_.resize(
        std::max<std::size_t>(buffer_.size(), std::min<std::uint64_t>(window, file_bytes_)));
    begin_ = offset;
    size_ = 0;
    const int error = file_.read(offset, buffer_.data(), buffer_.size(), &size_);
    if (error != 0) return describe(path_, "read", error);
  }
  const std::size_t skipped = std::min<std::size_t>(offset - begin_, size_);
  return std::string_view(buffer_.data() + skipped, size_ - skipped);
}

Result<std::string_view> RecordWindow::record_at(std::uint64_t offset) {
  Result<std::string_view> front = at(offset, kChainBytes + kSizeBytesMax);
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
