// SPDX-License-Identifier: Apache-2.0
//
// GzipSource: what a gzip file holds, all of its members, with the checksum of each compared.
//
// Use instead: Archive (archive.h) for every other format; libarchive neither compares gzip's
// checksum nor says that something else follows the last member.
//
// Thread safety: none. Memory: two pieces.
#pragma once

#include <zlib.h>

#include <string>
#include <string_view>

#include "vigil/tools/input/byte_source.h"

namespace vigil::tools::input {

bool is_gzip(std::string_view head);

class GzipSource : public ByteSource {
 public:
  // The source outlives this one.
  explicit GzipSource(ByteSource& packed);
  ~GzipSource() override;
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  Result<std::string_view> read() override;

 private:
  // Makes packed bytes available, none at the end.
  Result<void> refill();
  // After a member: another one, padding of zero bytes, the end, or what does not belong there.
  Result<bool> next_member();

  ByteSource& packed_;
  z_stream stream_ = {};
  bool is_at_end_ = false;
  bool is_between_members_ = false;
  std::string piece_;
};

}  // namespace vigil::tools::input
