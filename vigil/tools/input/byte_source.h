// SPDX-License-Identifier: Apache-2.0
//
// ByteSource: the bytes of an input in pieces, each read once. A pipe, a FIFO and /dev/stdin can
// not be read twice: who must look at the beginning before choosing a reader looks through a
// HeadedSource.
//
// Thread safety: none. Memory: one piece.
// Errors: a source that cannot be read to its end gives an Error instead of its end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <istream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "vigil/base/result.h"

namespace vigil::tools::input {

inline constexpr std::size_t kPieceBytes = std::size_t{256} << 10;

class ByteSource {
 public:
  virtual ~ByteSource() = default;

  // The next piece, empty at the end; valid until the next call. REQUIRES: no earlier call failed.
  virtual Result<std::string_view> read() = 0;
};

// A file, a pipe or a terminal.
class FileSource : public ByteSource {
 public:
  // `path` may be "-" for the standard input. Error: it cannot be opened, or is a folder or a
  // device without an end.
  static Result<std::unique_ptr<FileSource>> open(const std::string& path);
  ~FileSource() override;
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  Result<std::string_view> read() override;

  // 0 if it is not known.
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  FileSource(int descriptor, std::uint64_t size) : descriptor_(descriptor), size_(size) {}

  int descriptor_;
  std::uint64_t size_;
  std::string piece_;
};

class StreamSource : public ByteSource {
 public:
  // The stream outlives the source.
  explicit StreamSource(std::istream& stream) : stream_(stream) {}
  Result<std::string_view> read() override;

 private:
  std::istream& stream_;
  std::string piece_;
};

// A source whose beginning can be looked at before it is read.
class HeadedSource : public ByteSource {
 public:
  static constexpr std::size_t kHeadBytes = 4096;

  // The source outlives this one.
  explicit HeadedSource(ByteSource& source) : source_(source) {}

  // The first kHeadBytes or more; fewer only if the source ends or fails before, which read()
  // says. REQUIRES: read() was not called yet.
  std::string_view head();
  Result<std::string_view> read() override;

 private:
  ByteSource& source_;
  std::string head_;
  bool has_head_ = false;
  bool is_at_end_ = false;
  std::optional<Error> error_;  // met while looking ahead
};

}  // namespace vigil::tools::input
