// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/input/gzip_source.h"

#include "vigil/base/check.h"

namespace vigil::tools::input {

namespace {

constexpr std::string_view kMagic = "\x1f\x8b";
constexpr int kWithGzipHeader = 16 + MAX_WBITS;

}  // namespace

bool is_gzip(std::string_view head) { return head.starts_with(kMagic); }

GzipSource::GzipSource(ByteSource& packed) : packed_(packed) {
  VIGIL_CHECK(inflateInit2(&stream_, kWithGzipHeader) == Z_OK, "zlib has no memory");
}

GzipSource::~GzipSource() { inflateEnd(&stream_); }

Result<void> GzipSource::refill() {
  if (stream_.avail_in > 0) return {};
  const Result<std::string_view> bytes = packed_.read();
  if (!bytes) return bytes.error();
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes->data()));
  stream_.avail_in = static_cast<uInt>(bytes->size());
  return {};
}

Result<bool> GzipSource::next_member() {
  for (;;) {
    if (Result<void> filled = refill(); !filled) return filled.error();
    if (stream_.avail_in == 0) return false;
    if (*stream_.next_in == static_cast<Bytef>(kMagic.front())) return true;
    // Tapes and block devices are filled up with zero bytes.
    if (*stream_.next_in != 0) return Error{"gzip: something else follows the compressed data"};
    ++stream_.next_in;
    --stream_.avail_in;
  }
}

Result<std::string_view> GzipSource::read() {
  piece_.resize(kPieceBytes);
  stream_.next_out = reinterpret_cast<Bytef*>(piece_.data());
  stream_.avail_out = static_cast<uInt>(piece_.size());
  while (!is_at_end_ && stream_.avail_out == piece_.size()) {
    if (is_between_members_) {
      const Result<bool> more = next_member();
      if (!more) return more.error();
      is_at_end_ = !*more;
      is_between_members_ = false;
      inflateReset(&stream_);
      continue;
    }
    if (Result<void> filled = refill(); !filled) return filled.error();
    if (stream_.avail_in == 0) return Error{"gzip: the compressed data is cut short"};
    const int code = inflate(&stream_, Z_NO_FLUSH);
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
      // What was inflated before the damage comes first.
      if (stream_.avail_out < piece_.size()) break;
      return Error{"gzip: " + std::string(stream_.msg == nullptr ? "damaged" : stream_.msg)};
    }
    is_between_members_ = code == Z_STREAM_END;
  }
  return std::string_view(piece_.data(), piece_.size() - stream_.avail_out);
}

}  // namespace vigil::tools::input
