// SPDX-License-Identifier: Apache-2.0
//
// The files that an input is made of: itself, what it holds if it is compressed (gzip, xz, zstd,
// bzip2, lz4), or the files of an archive (zip, tar), compressed and nested ones too. Every byte is
// read once, so a pipe will do.
//
//   const Result<void> done = for_each_part("artifacts.zip", {}, [](Part& part) -> Result<void> {
//     TextInput text(part.content);
//     ...                                // part.name: "artifacts.zip/logs/race.log"
//     return text.error() ? *text.error() : Result<void>();
//   });
//
// Limits: PartLimits, of one input.
//
// Thread safety: none. Memory: some pieces per level.
// Errors: what is left of an input after damage is unread; the Error says why, and in which file.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "vigil/base/result.h"
#include "vigil/tools/input/byte_source.h"

namespace vigil::tools::input {

struct PartLimits {
  int depth = 4;                                          // of archives and compressions
  std::uint64_t expanded_bytes = std::uint64_t{4} << 30;  // that come out of them, at all levels
  std::uint64_t parts = 100'000;
};

struct Progress {
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_total = 0;  // 0: unknown
};
// Called about once per megabyte.
using OnProgress = std::function<void(const Progress&)>;

struct Part {
  std::string name;
  bool is_in_archive = false;
  bool is_packed = false;  // in an archive or compressed
  HeadedSource& content;
};
// Error: the content cannot be read to its end; no other part is visited.
using PartVisitor = std::function<Result<void>(Part& part)>;

// `path` may be "-" for the standard input.
Result<void> for_each_part(const std::string& path, const OnProgress& on_progress,
                           const PartVisitor& visit, const PartLimits& limits = {});
Result<void> for_each_part(ByteSource& source, const std::string& name, const PartVisitor& visit,
                           const PartLimits& limits = {});

}  // namespace vigil::tools::input
