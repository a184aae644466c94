// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/http/text.h"

#include <algorithm>
#include <charconv>

namespace vigil::server {

namespace {

char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool is_unreserved(char c) {
  const char lower = to_lower(c);
  return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

struct EntityTag {
  bool weak = false;
  std::string_view opaque;  // between the quotes
};

// Takes one tag and the comma after it from the front of *list; nullopt if there is none.
std::optional<EntityTag> take_tag(std::string_view* list) {
  EntityTag tag;
  if (list->substr(0, 2) == "W/") {
    tag.weak = true;
    list->remove_prefix(2);
  }
  if (list->empty() || list->front() != '"') return std::nullopt;
  const std::size_t end = list->find('"', 1);
  if (end == std::string_view::npos) return std::nullopt;
  tag.opaque = list->substr(1, end - 1);
  *list = trim_http_space(list->substr(end + 1));
  if (list->empty()) return tag;
  if (list->front() != ',') return std::nullopt;
  *list = trim_http_space(list->substr(1));
  return tag;
}

// Versions start at 1, so no tag that was given out is "0".
std::optional<std::uint64_t> version_of(const EntityTag& tag) {
  std::uint64_t value = 0;
  const char* const end = tag.opaque.data() + tag.opaque.size();
  const auto [stop, error] = std::from_chars(tag.opaque.data(), end, value);
  if (error != std::errc() || stop != end || value == 0) return std::nullopt;
  return value;
}

}  // namespace

HttpMethod http_method(std::string_view name) {
  switch (name.size()) {
    case 3:
      if (name == "GET") return HttpMethod::kGet;
      if (name == "PUT") return HttpMethod::kPut;
      break;
    case 4:
      if (name == "POST") return HttpMethod::kPost;
      if (name == "HEAD") return HttpMethod::kHead;
      break;
    case 5:
      if (name == "PATCH") return HttpMethod::kPatch;
      break;
    case 6:
      if (name == "DELETE") return HttpMethod::kDelete;
      break;
    case 7:
      if (name == "OPTIONS") return HttpMethod::kOptions;
      break;
    default:
      break;
  }
  return HttpMethod::kOther;
}

std::optional<HttpField> http_field(std::string_view name) {
  for (std::size_t i = 0; i < kHttpFieldNames.size(); ++i) {
    if (equals_ignoring_case(name, kHttpFieldNames[i])) return static_cast<HttpField>(i);
  }
  return std::nullopt;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

std::string_view trim_http_space(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

bool list_contains(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (equals_ignoring_case(trim_http_space(list.substr(0, comma)), token)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

bool is_media_type(std::string_view content_type, std::string_view media_type) {
  const std::string_view type = content_type.substr(0, content_type.find(';'));
  return equals_ignoring_case(trim_http_space(type), media_type);
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = hex_value(text[i + 1]);
    const int low = hex_value(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    decoded.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return decoded;
}

std::string percent_encode(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    if (is_unreserved(c)) {
      encoded.push_back(c);
    } else {
      const auto byte = static_cast<std::uint8_t>(c);
      encoded.push_back('%');
      encoded.push_back(kHex[byte >> 4]);
      encoded.push_back(kHex[byte & 0xF]);
    }
  }
  return encoded;
}

std::optional<EntityTags> EntityTags::parse(std::string_view field) {
  EntityTags tags;
  tags.any_ = field == "*";
  if (tags.any_) return tags;
  if (field.empty()) return std::nullopt;
  for (std::string_view list = field; !list.empty();) {
    if (!take_tag(&list)) return std::nullopt;
  }
  tags.list_ = field;
  return tags;
}

bool EntityTags::matches_weakly(std::uint64_t version) const {
  std::string_view list = list_;
  while (const std::optional<EntityTag> tag = take_tag(&list)) {
    if (version_of(*tag) == version) return true;
  }
  return false;
}

std::vector<std::uint64_t> EntityTags::strong_versions() const {
  std::vector<std::uint64_t> versions;
  std::string_view list = list_;
  while (const std::optional<EntityTag> tag = take_tag(&list)) {
    if (tag->weak) continue;
    if (const auto version = version_of(*tag)) versions.push_back(*version);
  }
  return versions;
}

}  // namespace vigil::server
