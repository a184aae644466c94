// SPDX-License-Identifier: Apache-2.0
//
// Input: the bytes of one input in pieces, with progress, and a look at its beginning.
//
// Thread safety: none. Memory: one piece of kPieceBytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <istream>
#include <string>
#include <string_view>

#include "vigil/base/result.h"
#include "vigil/tools/evidence/evidence.h"

namespace vigil::tools::evidence {

class Input {
 public:
  static constexpr std::size_t kPieceBytes = std::size_t{256} << 10;

  // `bytes_total` is 0 if it is not known. The stream outlives the input.
  Input(std::istream& stream, std::uint64_t bytes_total, const ReadOptions& options);

  // The first piece, without taking it.
  std::string_view head();
  // The next piece, empty at the end; valid until the next call.
  std::string_view read();
  // Everything that is left, at most kDocumentBytesMax.
  Result<std::string> read_all();

  [[nodiscard]] bool failed() const { return stream_.bad(); }

 private:
  void fill();

  std::istream& stream_;
  const ReadOptions& options_;
  Progress progress_;
  std::uint64_t next_progress_bytes_ = 0;
  std::string piece_;
  bool has_head_ = false;  // piece_ was looked at but not taken
};

}  // namespace vigil::tools::evidence
