// SPDX-License-Identifier: Apache-2.0
//
// BlockWriter: writes a growing stream into files that exist in full, in whole blocks, so that the
// writes can go past the kernel's page cache (File::write_direct): copying each record into cold
// pages of the cache costs more than all else that the log does for it.
//
//   file   | block | block | block  |
//            written         ^ the stream ends here: the block is filled up with zeroes, and
//                              written again from its beginning with what comes next
//
// The bytes of the stream in its last block are remembered, and read from the file when a writer
// comes to it for the first time. What a power cut does to a block that is written again, it may do
// to a page of the cache as well: its sectors are the old ones or the new ones, and what was
// committed stands in both.
//
// Errors: after a failed write the same bytes may be written again.
//
// Thread safety: belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "vigil/log/file_system.h"

namespace vigil::log {

class BlockWriter {
 public:
  BlockWriter();

  enum class Path : std::uint8_t { kCached, kDirect };
  // Where in which file.
  struct Target {
    File& file;
    std::uint64_t offset = 0;
    std::uint64_t file_bytes = 0;  // nothing is written behind that
  };

  // The pieces one after the other, then zeroes: at least `zeroes`, and to the end of the block.
  [[nodiscard]] int write(const Target& target, std::span<const std::string_view> pieces,
                          std::size_t zeroes, Path path);

 private:
  struct FreeBuffer {
    void operator()(char* buffer) const;
  };

  [[nodiscard]] int load_tail(const Target& target);
  [[nodiscard]] int add(std::string_view bytes);
  [[nodiscard]] int flush();

  std::unique_ptr<char[], FreeBuffer> buffer_;

  // The bytes of the stream in its last block, of that file and up to that offset.
  const File* tail_file_ = nullptr;
  std::uint64_t tail_end_ = 0;
  std::unique_ptr<char[]> tail_;

  // Of the running write().
  const Target* target_ = nullptr;
  Path path_ = Path::kCached;
  std::uint64_t buffer_offset_ = 0;  // in the file
  std::size_t used_ = 0;
};

}  // namespace vigil::log
