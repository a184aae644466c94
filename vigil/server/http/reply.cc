// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/http/reply.h"

#include <time.h>

#include <array>

namespace vigil::server {

namespace {

// Replies above this size give their memory back.
constexpr std::size_t kKeptBodyBytes = std::size_t{64} << 10;

void append(std::string_view text, char** at) {
  std::memcpy(*at, text.data(), text.size());
  *at += text.size();
}

bool has_body(int status) { return status != 204 && status != 304; }

}  // namespace

void HttpReply::add_field(std::string_view name, std::string_view value) {
  fields_.append(name).append(": ").append(value).append("\r\n");
}

void HttpReply::add_etag(std::uint64_t version) {
  fields_.append("ETag: \"").append(std::to_string(version)).append("\"\r\n");
}

void HttpReply::reset() {
  status = 200;
  content_type = kJsonType;
  if (body.capacity() > kKeptBodyBytes) body = std::string();
  body.clear();
  fields_.clear();
}

void HttpReply::write(HttpMethod method, bool http_1_0, bool close, std::int64_t now_ms,
                      Output* output) const {
  constexpr std::size_t kFixedBytes = 256;  // status line and the fields below, at most
  const bool with_body = has_body(status);
  const bool send_body = with_body && method != HttpMethod::kHead;
  char* at = output->reserve(kFixedBytes + fields_.size() + body.size());
  append("HTTP/1.1 ", &at);
  at = std::to_chars(at, at + 3, status).ptr;
  *at++ = ' ';
  append(http_status_text(status), &at);
  append("\r\nDate: ", &at);
  append(http_date(now_ms), &at);
  append("\r\n", &at);
  append(fields_, &at);
  if (with_body) {
    append("Content-Type: ", &at);
    append(content_type, &at);
    append("\r\nContent-Length: ", &at);
    at = std::to_chars(at, at + 20, body.size()).ptr;
    append("\r\n", &at);
  }
  if (close) {
    append("Connection: close\r\n", &at);
  } else if (http_1_0) {
    append("Connection: keep-alive\r\n", &at);
  }
  append("\r\n", &at);
  if (send_body) append(body, &at);
  output->commit(at);
}

std::string_view http_status_text(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "Unknown";
  }
}

std::string_view http_date(std::int64_t unix_ms) {
  thread_local std::array<char, 32> text;
  thread_local std::size_t size = 0;
  thread_local std::int64_t formatted_s = -1;
  const std::int64_t now_s = unix_ms / 1000;
  if (now_s != formatted_s) {
    const time_t seconds = now_s;
    tm utc{};
    gmtime_r(&seconds, &utc);
    size = strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
    formatted_s = now_s;
  }
  return {text.data(), size};
}

}  // namespace vigil::server
