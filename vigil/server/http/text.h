// SPDX-License-Identifier: Apache-2.0
//
// The small grammar of HTTP header fields and targets (RFC 9110, RFC 3986).
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/server/http/request.h"

namespace vigil::server {

[[nodiscard]] HttpMethod http_method(std::string_view name);
[[nodiscard]] std::optional<HttpField> http_field(std::string_view name);

[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b);
[[nodiscard]] std::string_view trim_http_space(std::string_view text);

// Whether the comma-separated list holds the token, ignoring case.
[[nodiscard]] bool list_contains(std::string_view list, std::string_view token);

// Whether a Content-Type names `media_type`, whatever its parameters.
[[nodiscard]] bool is_media_type(std::string_view content_type, std::string_view media_type);

// Undoes %XX; nullopt for a broken escape.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);
// The opposite, for a path segment: everything but unreserved characters is escaped.
[[nodiscard]] std::string percent_encode(std::string_view text);

// The entity tags of an If-Match or If-None-Match field that this server can have given out.
class EntityTags {
 public:
  // nullopt if the field is malformed. A tag that is not a version matches nothing.
  [[nodiscard]] static std::optional<EntityTags> parse(std::string_view field);

  [[nodiscard]] bool any() const { return any_; }  // "*"
  // The versions that strong comparison (If-Match) accepts: weak tags match nothing.
  [[nodiscard]] std::vector<std::uint64_t> strong_versions() const;
  // Weak comparison (If-None-Match): W/"3" matches version 3.
  [[nodiscard]] bool matches_weakly(std::uint64_t version) const;

 private:
  std::string_view list_;
  bool any_ = false;
};

}  // namespace vigil::server
