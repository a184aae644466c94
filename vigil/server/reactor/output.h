// SPDX-License-Identifier: Apache-2.0
//
// Output: a queue of bytes; append-only for sessions, drained by the connection.
//
// Appending is amortised O(1) per byte. Thread safety: belongs to one reactor.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string_view>

namespace vigil::server {

class Output {
 public:
  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  [[nodiscard]] bool empty() const { return end_ == begin_; }
  [[nodiscard]] std::string_view view() const { return {buffer_.get() + begin_, size()}; }

  // Room for `bytes` more; the pointer is valid until the next call. Follow with commit().
  [[nodiscard]] char* reserve(std::size_t bytes) {
    if (capacity_ - end_ < bytes) [[unlikely]]
      grow(bytes);
    return buffer_.get() + end_;
  }
  // REQUIRES: `end` lies within the last reserve().
  void commit(const char* end) { end_ = static_cast<std::size_t>(end - buffer_.get()); }

  void append(std::string_view bytes) {
    char* out = reserve(bytes.size());
    if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());  // data() may be null
    end_ += bytes.size();
  }
  void append_integer(std::int64_t value) {
    char* out = reserve(kIntegerDigitsMax);
    commit(std::to_chars(out, out + kIntegerDigitsMax, value).ptr);
  }

  // Drops `bytes` from the front, after they were sent.
  void consume(std::size_t bytes) {
    begin_ += bytes;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  // Drops everything appended after the first `size` bytes.
  void truncate(std::size_t size) { end_ = begin_ + size; }
  // Gives memory back after a large reply.
  void release() {
    buffer_.reset();
    capacity_ = begin_ = end_ = 0;
  }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  // Beyond this, appending throws std::length_error: a reply that no peer would get is not built.
  void set_size_max(std::size_t bytes) { size_max_ = bytes; }

 private:
  static constexpr std::size_t kIntegerDigitsMax = 20;  // of an int64, with its sign

  void grow(std::size_t bytes);

  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0;
  std::size_t size_max_ = std::numeric_limits<std::size_t>::max();
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace vigil::server
