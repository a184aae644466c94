// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/http/scanner.h"

#include <charconv>
#include <optional>

#include "vigil/server/http/text.h"

namespace vigil::server {

namespace {

enum ByteClass : std::uint8_t { kToken = 1, kTarget = 2, kFieldValue = 4 };

constexpr std::array<std::uint8_t, 256> byte_classes() {
  std::array<std::uint8_t, 256> classes{};
  for (std::size_t c = 0x20; c < 0x7F; ++c) classes[c] = kFieldValue;
  for (std::size_t c = 0x80; c < 0x100; ++c) classes[c] = kFieldValue;
  classes['\t'] = kFieldValue;
  for (std::size_t c = 0x21; c < 0x7F; ++c) classes[c] |= kTarget;
  classes['#'] &= static_cast<std::uint8_t>(~kTarget);  // a fragment is never sent
  for (const char c : std::string_view("-_")) classes[static_cast<std::uint8_t>(c)] |= kToken;
  for (std::size_t c = '0'; c <= '9'; ++c) classes[c] |= kToken;
  for (std::size_t c = 'A'; c <= 'Z'; ++c) classes[c] |= kToken;
  for (std::size_t c = 'a'; c <= 'z'; ++c) classes[c] |= kToken;
  return classes;
}

constexpr std::array<std::uint8_t, 256> kClasses = byte_classes();

const char* skip(const char* at, const char* end, ByteClass byte_class) {
  while (at != end && (kClasses[static_cast<std::uint8_t>(*at)] & byte_class) != 0) ++at;
  return at;
}

// Takes `text` from the front of *at; false if it is not there.
bool take(std::string_view text, const char** at, const char* end) {
  if (static_cast<std::size_t>(end - *at) < text.size()) return false;
  if (std::string_view(*at, text.size()) != text) return false;
  *at += text.size();
  return true;
}

bool scan_request_line(const char** at, const char* end, HttpRequest* request) {
  const char* const method_end = skip(*at, end, kToken);
  request->method = http_method({*at, static_cast<std::size_t>(method_end - *at)});
  if (request->method == HttpMethod::kOther) return false;
  *at = method_end;
  if (!take(" /", at, end)) return false;
  const char* const target = *at - 1;
  *at = skip(*at, end, kTarget);
  request->target = {target, static_cast<std::size_t>(*at - target)};
  return take(" HTTP/1.1\r\n", at, end);
}

bool scan_field(const char** at, const char* end, HttpRequest* request) {
  const char* const name = *at;
  *at = skip(*at, end, kToken);
  const std::string_view field_name(name, static_cast<std::size_t>(*at - name));
  if (field_name.empty() || !take(":", at, end)) return false;
  while (*at != end && **at == ' ') ++*at;
  const char* const value = *at;
  *at = skip(*at, end, kFieldValue);
  const std::string_view text = trim_http_space({value, static_cast<std::size_t>(*at - value)});
  if (!take("\r\n", at, end)) return false;
  const std::optional<HttpField> field = http_field(field_name);
  if (!field) return true;
  if (request->has(*field)) return false;
  request->set_field(*field, text);
  return true;
}

// What the header says about the rest of the message; false if that is not simple.
bool interpret(HttpRequest* request, std::size_t* body_size) {
  if (request->has(HttpField::kTransferEncoding) || request->has(HttpField::kExpect)) return false;
  if (!request->has(HttpField::kHost)) return false;
  if (request->has(HttpField::kConnection)) {
    const std::string_view connection = request->field(HttpField::kConnection);
    if (!equals_ignoring_case(connection, "keep-alive")) return false;
  }
  *body_size = 0;
  if (!request->has(HttpField::kContentLength)) return true;
  const std::string_view digits = request->field(HttpField::kContentLength);
  const auto [stop, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), *body_size);
  return error == std::errc() && stop == digits.data() + digits.size();
}

}  // namespace

std::size_t scan_http_request(std::string_view input, const HttpLimits& limits,
                              HttpRequest* request) {
  const char* at = input.data();
  const char* const end = at + input.size();
  *request = HttpRequest();
  if (!scan_request_line(&at, end, request)) return 0;
  while (!take("\r\n", &at, end)) {
    if (!scan_field(&at, end, request)) return 0;
  }
  const auto header_size = static_cast<std::size_t>(at - input.data());
  std::size_t body_size = 0;
  if (header_size > limits.header_bytes_max || !interpret(request, &body_size)) return 0;
  if (body_size > limits.body_bytes_max || body_size > input.size() - header_size) return 0;
  request->body = input.substr(header_size, body_size);
  return header_size + body_size;
}

}  // namespace vigil::server
