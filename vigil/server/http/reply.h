// SPDX-License-Identifier: Apache-2.0
//
// HttpReply: one response, filled by a handler and written to the connection by HttpSession. Reused
// from request to request, so that its strings keep their memory.
//
// Thread safety: belongs to one connection.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "vigil/server/http/request.h"
#include "vigil/server/reactor/output.h"

namespace vigil::server {

inline constexpr std::string_view kJsonType = "application/json";
inline constexpr std::string_view kTextType = "text/plain; charset=utf-8";

class HttpReply {
 public:
  int status = 200;
  std::string_view content_type = kJsonType;
  std::string body;

  // A further header field. REQUIRES: neither holds CR, LF or NUL.
  void add_field(std::string_view name, std::string_view value);
  void add_etag(std::uint64_t version);

  // Back to an empty 200; memory beyond what ordinary replies need is returned.
  void reset();

  // Appends the response to a request of `method`; `close` announces the end of the connection.
  void write(HttpMethod method, bool http_1_0, bool close, std::int64_t now_ms,
             Output* output) const;

 private:
  std::string fields_;  // complete header lines
};

[[nodiscard]] std::string_view http_status_text(int status);

// "Mon, 23 Nov 2026 04:14:42 GMT"; formatted once per second and thread.
[[nodiscard]] std::string_view http_date(std::int64_t unix_ms);

}  // namespace vigil::server
