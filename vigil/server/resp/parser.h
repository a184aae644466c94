// SPDX-License-Identifier: Apache-2.0
//
// RespParser: splits a byte stream into RESP requests (arrays of bulk strings, and inline commands)
// with the limits and error texts of Redis 7.
//
// Arguments are views into the input, so a request is parsed without copying. A request that is
// not complete yet leaves its progress in the parser: call again with the same bytes and more
// behind them, and parsing goes on where it stopped, so the total work is linear in the bytes
// however they are cut into reads.
//
// Invariant: position_ <= the size of the input of the last call; spans_ are the arguments before
// it.
//
// Thread safety: belongs to one connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::server {

// The arguments of a batch of requests, one after the other.
struct RespArguments {
  std::vector<std::string_view> views;
  std::vector<std::unique_ptr<char[]>> unescaped;  // what quoted inline arguments refer to

  void clear() {
    views.clear();
    unescaped.clear();
  }
};

class RespParser {
 public:
  struct Limits {
    std::size_t request_bytes_max = std::size_t{64} << 20;
    std::uint32_t arguments_max = 1U << 20;
  };
  // What a client may send before it has authenticated.
  static constexpr std::int64_t kUnauthenticatedArguments = 10;
  static constexpr std::int64_t kUnauthenticatedBulk = 16384;
  static constexpr std::size_t kLineMax = 64 * 1024;  // of an inline command or a length

  enum class Status : std::uint8_t {
    kRequest,     // arguments were appended (none for an empty request); consumed() bytes are used
    kIncomplete,  // call again with more bytes
    kError,       // error() says why; the stream cannot be read on
    kHttp,        // the peer speaks HTTP
  };

  explicit RespParser(const Limits& limits) : limits_(limits) {}

  // Parses the request at the front of `input`.
  [[nodiscard]] Status parse(std::string_view input, bool authenticated, RespArguments& arguments);

  // Forgets a request that was begun; the next input starts with a new one.
  void restart();

  // Valid after kRequest.
  [[nodiscard]] std::size_t consumed() const { return consumed_; }
  // Memory that knows where the arguments of an open request lie.
  [[nodiscard]] std::size_t buffer_bytes() const { return spans_.capacity() * sizeof(Span); }
  // Valid after kError: "ERR Protocol error: ...".
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  struct Span {
    std::size_t offset;
    std::size_t size;
  };
  enum class Line : std::uint8_t { kValue, kInvalid, kIncomplete, kTooLong };

  // A request that is complete in `input` and holds nothing unusual, in one go and without the
  // state that lets the other path go on later: nearly every request of a pipeline. False leaves
  // everything as it was.
  [[nodiscard]] bool parse_whole(std::string_view input, RespArguments& arguments);
  Status parse_inline(std::string_view input, RespArguments& arguments);
  Status parse_bulks(std::string_view input, bool authenticated);
  Status finish(std::string_view input, RespArguments& arguments);
  Status fail(std::string_view reason);
  Status fail_foreign(char first);
  // Reads "<length>\r\n" whose first digit is at input[position_ + 1].
  Line read_length(std::string_view input, std::int64_t* value, std::size_t* end);

  Limits limits_;
  std::size_t position_ = 0;         // parsed so far
  std::size_t scanned_ = 0;          // searched for a line end so far
  std::int64_t arguments_left_ = 0;  // of the open request; 0: no request is open
  std::int64_t bulk_size_ = -1;      // of the open argument; -1: its length was not read yet
  std::vector<Span> spans_;
  std::size_t consumed_ = 0;
  std::string error_;
};

}  // namespace vigil::server
