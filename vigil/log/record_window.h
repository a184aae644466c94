// SPDX-License-Identifier: Apache-2.0
//
// RecordWindow: reads a segment forward through one buffer of 1 MiB, which grows to the largest
// record met.
//
// Thread safety: belongs to one thread. A view is valid until the next call.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "vigil/base/result.h"
#include "vigil/log/file_system.h"

namespace vigil::log {

class RecordWindow {
 public:
  // Path and file outlive the window.
  RecordWindow(const std::string& path, File& file, std::uint64_t file_bytes)
      : path_(path), file_(file), file_bytes_(file_bytes) {}

  // The bytes from `offset` on that are in memory, at least `bytes` of them unless the file ends.
  [[nodiscard]] Result<std::string_view> at(std::uint64_t offset, std::size_t bytes);
  // The same for the whole record that begins there, as far as its size says.
  [[nodiscard]] Result<std::string_view> record_at(std::uint64_t offset);

 private:
  const std::string& path_;
  File& file_;
  std::uint64_t file_bytes_;
  std::string buffer_;
  std::uint64_t begin_ = 0;  // offset of the buffer's first byte
  std::size_t size_ = 0;     // bytes in it
};

// Whether there are zeroes at `offset`, as behind the last record of a segment being written.
[[nodiscard]] Result<bool> ends_with_zeroes(File& file, const std::string& path,
                                            std::uint64_t offset);

}  // namespace vigil::log
