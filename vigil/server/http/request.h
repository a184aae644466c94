// SPDX-License-Identifier: Apache-2.0
//
// HttpRequest: one parsed HTTP/1.x request. All views point into the input or into the parser that
// made it, and are valid until the parser's next call.
//
// Thread safety: a plain value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vigil::server {

enum class HttpMethod : std::uint8_t {
  kGet,
  kHead,
  kPut,
  kPost,
  kPatch,
  kDelete,
  kOptions,
  kOther,
};

// The header fields that this server acts on; all others are checked for form and dropped.
enum class HttpField : std::uint8_t {
  kHost,
  kConnection,
  kContentLength,
  kContentType,
  kTransferEncoding,
  kExpect,
  kIfMatch,
  kIfNoneMatch,
  kIdempotencyKey,
  kAuthorization,
  kContentEncoding,
};
inline constexpr std::array<std::string_view, 11> kHttpFieldNames = {
    "host",     "connection",    "content-length",  "content-type",  "transfer-encoding", "expect",
    "if-match", "if-none-match", "idempotency-key", "authorization", "content-encoding"};

class HttpRequest {
 public:
  HttpMethod method = HttpMethod::kOther;
  std::string_view target;  // path and query, or "*"
  std::string_view body;
  bool http_1_0 = false;
  bool keep_alive = true;

  [[nodiscard]] bool has(HttpField name) const { return field(name).data() != nullptr; }
  // Empty (with data() == nullptr) if it was not sent.
  [[nodiscard]] std::string_view field(HttpField name) const {
    return fields_[static_cast<std::size_t>(name)];
  }
  void set_field(HttpField name, std::string_view value) {
    fields_[static_cast<std::size_t>(name)] = value;
  }

  [[nodiscard]] std::string_view path() const { return target.substr(0, target.find('?')); }

 private:
  std::array<std::string_view, kHttpFieldNames.size()> fields_{};
};

struct HttpLimits {
  std::size_t header_bytes_max = std::size_t{16} << 10;  // all that is not body
  std::size_t body_bytes_max = std::size_t{4} << 20;
};

}  // namespace vigil::server
