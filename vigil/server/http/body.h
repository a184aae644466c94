// SPDX-License-Identifier: Apache-2.0
//
// HttpBodyReader: takes the body of one request out of the bytes of its connection, by its length
// or in chunks (RFC 9112, section 7.1).
//
// What is not body counts as header: chunk extensions, leading zeros of chunk sizes and trailer
// lines share one budget with the header and are checked for form and dropped. Only what a chunk
// needs (its digits and two line ends) is free, for it is bounded by the body it brings.
//
// Every byte that is offered is taken until the body is complete or refused, so the connection
// buffers nothing of it. Linear in the bytes, however they are cut.
//
// Thread safety: belongs to one connection. Memory: the body so far, and one line within the
// budget.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::server {

class HttpBodyReader {
 public:
  enum class Status : std::uint8_t {
    kNeedMore,
    kDone,
    kBodyTooLarge,
    kFramingTooLarge,
    kMalformed,
  };

  [[nodiscard]] static HttpBodyReader of_length(std::size_t bytes);
  [[nodiscard]] static HttpBodyReader chunked(std::size_t body_bytes_max,
                                              std::size_t framing_bytes_max);

  // Adds the bytes taken from the front of `input` to *taken. After a refusal nothing may follow.
  [[nodiscard]] Status read(std::string_view input, std::size_t* taken);

  [[nodiscard]] const std::string& body() const { return body_; }
  [[nodiscard]] std::size_t buffer_bytes() const { return body_.capacity() + line_.capacity(); }

 private:
  enum class State : std::uint8_t { kSize, kExtensions, kData, kDataEnd, kTrailer, kDone };

  HttpBodyReader() = default;

  Status step(std::string_view* input);
  Status read_size(std::string_view* input);
  Status read_extensions(std::string_view* input);
  Status read_data(std::string_view* input);
  Status read_data_end(std::string_view* input);
  Status read_trailer(std::string_view* input);
  void begin_chunk();
  bool spend(std::size_t framing_bytes);
  Status read_line(std::string_view* input);

  State state_ = State::kDone;
  bool is_chunked_ = false;
  bool has_digit_ = false;
  std::size_t size_left_ = 0;     // of the open chunk, or of the body
  std::size_t body_left_ = 0;     // until body_bytes_max
  std::size_t framing_left_ = 0;  // until framing_bytes_max
  std::string line_;              // the open line, up to its line feed
  std::string body_;
};

}  // namespace vigil::server
