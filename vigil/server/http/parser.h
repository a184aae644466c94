// SPDX-License-Identifier: Apache-2.0
//
// HttpParser: turns the bytes of a connection into HTTP/1.x requests, one after the other.
//
// Complete plain requests take the fast path of scanner.h. Of everything else (bodies that
// arrive in pieces, chunked bodies, Expect, HTTP/1.0, odd or malformed headers) Boost.Beast judges
// the header, once it is whole and within its limit: Beast throws for fields of 64 KiB, and keeps
// several times the bytes of a header of many fields. The body is read by body.h.
//
// Beast knows the versions 1.0 and 1.1; later ones of HTTP/1 are answered as 1.1 (RFC 9110, section
// 2.5). An absolute target is taken for its path (RFC 9112, section 3.2.2).
//
// What is not body is header: request line, fields, chunk extensions and trailers together stay
// within HttpLimits::header_bytes_max, or the request is refused with 431.
//
// Errors carry the status to answer with; after one the connection must be closed, because where
// the next request starts is unknown.
//
// Thread safety: belongs to one connection. Memory: nothing while only the fast path is used; else
// the fields that are acted on and the body of one request, within HttpLimits.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "vigil/server/http/request.h"

namespace vigil::server {

class HttpParser {
 public:
  enum class Outcome : std::uint8_t {
    kNeedMore,
    // As kNeedMore, and *request is whole but for its body: the peer waits for "100 Continue", or
    // for a refusal, before it sends that.
    kContinueWanted,
    kRequest,
    kError,
    kResp,  // what arrived speaks RESP
  };

  struct Step {
    Outcome outcome = Outcome::kNeedMore;
    std::size_t bytes = 0;  // taken from the front of the input, with any outcome
    int status = 0;         // kError only
    std::string_view detail;
  };

  explicit HttpParser(const HttpLimits& limits);
  ~HttpParser();
  HttpParser(const HttpParser&) = delete;
  HttpParser& operator=(const HttpParser&) = delete;

  // Input that was not taken must be offered again, with more behind it.
  [[nodiscard]] Step parse(std::string_view input, HttpRequest* request);

  // Whether the header of an incomplete request was taken.
  [[nodiscard]] bool mid_request() const { return slow_ != nullptr; }
  // Memory of the bodies of the open and of the last request.
  [[nodiscard]] std::size_t buffer_bytes() const;

 private:
  class Slow;

  Step parse_slow_path(std::string_view input, HttpRequest* request);
  Step wait_for_header(std::string_view input);
  Step open_request(std::string_view header);
  [[nodiscard]] Step header_too_large(std::size_t line_end) const;
  [[nodiscard]] std::size_t find_header_end(std::string_view input) const;

  HttpLimits limits_;
  std::size_t searched_ = 0;  // bytes of the input that hold no end of a header
  std::unique_ptr<Slow> slow_;
  std::unique_ptr<Slow> served_;  // keeps the last request's bytes while it is handled
};

}  // namespace vigil::server
