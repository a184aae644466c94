// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/reactor/output.h"

#include <algorithm>
#include <stdexcept>

namespace vigil::server {

void Output::grow(std::size_t bytes) {
  const std::size_t used = size();
  if (bytes > size_max_ || used > size_max_ - bytes) {
    throw std::length_error("the output of a connection is over its limit");
  }
  if (capacity_ >= used + bytes && begin_ >= capacity_ / 2) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, used);  // at most once per half capacity
  } else {
    const std::size_t wanted = std::max<std::size_t>({used + bytes, 2 * capacity_, 1024});
    auto larger = std::make_unique_for_overwrite<char[]>(wanted);
    if (used != 0) std::memcpy(larger.get(), buffer_.get() + begin_, used);
    buffer_ = std::move(larger);
    capacity_ = wanted;
  }
  begin_ = 0;
  end_ = used;
}

}  // namespace vigil::server
