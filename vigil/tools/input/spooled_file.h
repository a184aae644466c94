// SPDX-License-Identifier: Apache-2.0
//
// SpooledFile: what a source holds, in a file without a name, for readers that must seek: a core
// from a pipe, or a compressed one. It is gone when the object is.
//
//   const Result<SpooledFile> file = SpooledFile::of(part.content);
//   if (!file) return file.error();
//   read_core(file->path());
//
// Thread safety: none. Disk: the size of the content, in TMPDIR or /var/tmp.
#pragma once

#include <string>

#include "vigil/base/result.h"
#include "vigil/tools/input/byte_source.h"

namespace vigil::tools::input {

class SpooledFile {
 public:
  // Reads the source to its end.
  static Result<SpooledFile> of(ByteSource& source);
  SpooledFile(SpooledFile&& other) noexcept;
  SpooledFile& operator=(SpooledFile&&) = delete;
  ~SpooledFile();

  // By which this process can open it.
  [[nodiscard]] std::string path() const;

 private:
  explicit SpooledFile(int descriptor) : descriptor_(descriptor) {}
  Result<void> append(std::string_view bytes) const;

  int descriptor_;
};

}  // namespace vigil::tools::input
