// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/evidence/input.h"

namespace vigil::tools::evidence {

Input::Input(std::istream& stream, std::uint64_t bytes_total, const ReadOptions& options)
    : stream_(stream), options_(options), progress_{.bytes_total = bytes_total} {}

void Input::fill() {
  piece_.resize(kPieceBytes);
  stream_.read(piece_.data(), static_cast<std::streamsize>(piece_.size()));
  piece_.resize(static_cast<std::size_t>(stream_.gcount()));
}

std::string_view Input::head() {
  if (!has_head_) fill();
  has_head_ = true;
  return piece_;
}

std::string_view Input::read() {
  constexpr std::uint64_t kProgressBytes = std::uint64_t{1} << 20;
  if (!has_head_) fill();
  has_head_ = false;
  progress_.bytes_read += piece_.size();
  if (options_.progress && progress_.bytes_read >= next_progress_bytes_) {
    next_progress_bytes_ = progress_.bytes_read + kProgressBytes;
    options_.progress(progress_);
  }
  return piece_;
}

Result<std::string> Input::read_all() {
  std::string text;
  for (std::string_view piece = read(); !piece.empty(); piece = read()) {
    if (text.size() + piece.size() > kDocumentBytesMax) {
      return Error{"the document is larger than " + std::to_string(kDocumentBytesMax >> 20) +
                   " MiB; a log of the same run can be of any size"};
    }
    text.append(piece);
  }
  return text;
}

}  // namespace vigil::tools::evidence
