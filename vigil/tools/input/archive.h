// SPDX-License-Identifier: Apache-2.0
//
// Archive: the files of a zip or tar archive, or the one that xz, zstd, bzip2 or lz4 compressed,
// one after the other, without seeking. libarchive reads them.
//
//   Archive archive(packed, *format);
//   for (;;) {
//     const Result<bool> more = archive.next();
//     if (!more) return more.error();
//     if (!*more) break;
//     use(archive.name(), archive);   // a ByteSource: the content of this file
//   }
//
// What stands behind the end of an archive, or is missing there, is an error: a second archive
// would be passed over in silence.
//
// Thread safety: none. Memory: a piece, and what the format needs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "vigil/tools/input/byte_source.h"

struct archive;
struct archive_entry;

namespace vigil::tools::input {

class Archive : public ByteSource {
 public:
  enum class Format : std::uint8_t { kZip, kTar, kXz, kZstd, kBzip2, kLz4 };

  // By the first bytes.
  static std::optional<Format> format_of(std::string_view head);

  // The source outlives the archive.
  Archive(ByteSource& packed, Format format);
  ~Archive() override;
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;

  // Goes to the next file; false: there is none.
  Result<bool> next();
  // Of the file at hand; empty if only one was compressed.
  [[nodiscard]] const std::string& name() const { return name_; }
  // A piece of the file at hand.
  Result<std::string_view> read() override;

 private:
  struct Closer {
    void operator()(struct archive* archive) const;
  };

  static long feed(struct archive* archive, void* self, const void** bytes);
  [[nodiscard]] Error error() const;
  [[nodiscard]] bool is_compressed_file() const;
  Result<bool> finish();
  Result<void> check_end(std::string_view rest);

  ByteSource& packed_;
  Format format_;
  std::unique_ptr<struct archive, Closer> archive_;
  bool is_open_ = false;
  std::string name_;
  std::optional<Error> source_error_;
  std::string_view fed_;         // the last piece that libarchive got
  std::uint64_t fed_begin_ = 0;  // where that stands in the source
  std::string tail_;             // the last bytes of the source so far
};

}  // namespace vigil::tools::input
