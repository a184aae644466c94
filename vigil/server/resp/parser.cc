// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/parser.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "vigil/server/resp/number.h"

namespace vigil::server {

namespace {

constexpr std::size_t kSpansKept = 256;  // capacity that survives a request with more arguments

// A header of at most three digits: its type, the digits and the line end.
constexpr std::ptrdiff_t kShortHeaderRoom = 6;

// The number in "*<digits>\r\n" or "$<digits>\r\n" and the end of the line; nullptr if there are
// no or too many digits, a leading zero, or another line end. Reads kShortHeaderRoom bytes at most.
const char* short_header(const char* header, std::uint32_t* number) {
  const char* digit = header + 1;
  std::uint32_t value = 0;
  for (; *digit >= '0' && *digit <= '9'; ++digit) {
    if (digit == header + 4) return nullptr;
    value = value * 10 + static_cast<std::uint32_t>(*digit - '0');
  }
  if (digit == header + 1 || digit[0] != '\r' || digit[1] != '\n') return nullptr;
  if (header[1] == '0' && digit != header + 2) return nullptr;
  *number = value;
  return digit + 2;
}

bool is_line_end(const char* at) { return std::memcmp(at, "\r\n", 2) == 0; }

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0'; }

// Between arguments Redis skips every kind of space, but not every kind ends an argument.
bool ends_argument(char c) { return is_space(c) && c != '\v' && c != '\f'; }

std::optional<int> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

constexpr char kTlsHandshake = '\x16';

bool begins_inline(char c) {
  constexpr std::string_view kOtherTypes = "$+-:_#,(!=%~>|";
  return c != kTlsHandshake && kOtherTypes.find(c) == std::string_view::npos;
}

// "METHOD target HTTP/1.1": a browser, or a tool that took the wrong port. Its header and body must
// not be read as commands.
bool is_http_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  return first != last && line.substr(last + 1).starts_with("HTTP/") &&
         line.find(' ', first + 1) == last;
}

// Reads one escape sequence of a double-quoted argument; `at` is behind the backslash.
char unescape(std::string_view line, std::size_t* at) {
  const char c = line[(*at)++];
  if (c == 'x' && *at + 1 < line.size()) {
    const auto high = hex_digit(line[*at]);
    const auto low = hex_digit(line[*at + 1]);
    if (high && low) {
      *at += 2;
      return static_cast<char>(*high * 16 + *low);
    }
  }
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

// Copies the argument at line[*at] to `out` without its quotes; returns its end, or nullptr if a
// quote is not closed or is followed by anything but a space.
char* copy_inline_argument(std::string_view line, std::size_t* at, char* out) {
  char quote = '\0';
  while (*at < line.size()) {
    const char c = line[*at];
    if (quote == '\0') {
      if (ends_argument(c)) return out;
      ++*at;
      if (c == '"' || c == '\'') {
        quote = c;
      } else {
        *out++ = c;
      }
      continue;
    }
    ++*at;
    if (c == quote) {
      if (*at < line.size() && !is_space(line[*at])) return nullptr;
      return out;
    }
    if (c == '\\' && *at < line.size() && quote == '"') {
      *out++ = unescape(line, at);
    } else if (c == '\\' && *at < line.size() && line[*at] == '\'') {
      *out++ = line[(*at)++];
    } else {
      *out++ = c;
    }
  }
  return quote == '\0' ? out : nullptr;
}

}  // namespace

bool RespParser::parse_whole(std::string_view input, RespArguments& arguments) {
  const char* at = input.data();
  const char* const limit = at + input.size();
  std::uint32_t count = 0;
  if (limit - at < kShortHeaderRoom || *at != '*') return false;
  at = short_header(at, &count);
  if (at == nullptr || count == 0 || count > limits_.arguments_max) return false;
  const char* const request_end =
      input.data() + std::min<std::size_t>(input.size(), limits_.request_bytes_max);
  const std::size_t kept = arguments.views.size();
  for (; count > 0; --count) {
    std::uint32_t size = 0;
    const char* const bytes =
        limit - at < kShortHeaderRoom || *at != '$' ? nullptr : short_header(at, &size);
    if (bytes == nullptr || request_end - bytes < std::ptrdiff_t{size} + 2) {
      arguments.views.resize(kept);
      return false;
    }
    if (!is_line_end(bytes + size)) {
      arguments.views.resize(kept);
      return false;
    }
    arguments.views.emplace_back(bytes, size);
    at = bytes + size + 2;
  }
  consumed_ = static_cast<std::size_t>(at - input.data());
  return true;
}

void RespParser::restart() {
  position_ = scanned_ = 0;
  arguments_left_ = 0;
  bulk_size_ = -1;
  spans_.clear();
}

RespParser::Status RespParser::parse(std::string_view input, bool authenticated,
                                     RespArguments& arguments) {
  if (arguments_left_ == 0) {
    if (authenticated && scanned_ == 0 && parse_whole(input, arguments)) return Status::kRequest;
    if (input.empty()) return Status::kIncomplete;
    if (input[0] != '*') {
      return begins_inline(input[0]) ? parse_inline(input, arguments) : fail_foreign(input[0]);
    }
    std::int64_t count = 0;
    std::size_t end = 0;
    switch (read_length(input, &count, &end)) {
      case Line::kIncomplete:
        return Status::kIncomplete;
      case Line::kTooLong:
        return fail("too big mbulk count string");
      case Line::kInvalid:
        return fail("invalid multibulk length");
      case Line::kValue:
        break;
    }
    if (count > static_cast<std::int64_t>(limits_.arguments_max)) {
      return fail("invalid multibulk length");
    }
    if (count > kUnauthenticatedArguments && !authenticated) {
      return fail("unauthenticated multibulk length");
    }
    position_ = end;
    arguments_left_ = std::max<std::int64_t>(count, 0);
  }
  const Status status = parse_bulks(input, authenticated);
  return status == Status::kRequest ? finish(input, arguments) : status;
}

RespParser::Status RespParser::parse_bulks(std::string_view input, bool authenticated) {
  for (; arguments_left_ > 0; --arguments_left_) {
    if (bulk_size_ < 0) {
      if (position_ >= input.size()) return Status::kIncomplete;
      std::int64_t size = 0;
      std::size_t end = 0;
      const Line line = read_length(input, &size, &end);
      if (line == Line::kIncomplete) return Status::kIncomplete;
      if (line == Line::kTooLong) return fail("too big bulk count string");
      if (input[position_] != '$') {
        return fail(std::string("expected '$', got '") + input[position_] + "'");
      }
      if (line == Line::kInvalid || size < 0 ||
          size > static_cast<std::int64_t>(limits_.request_bytes_max)) {
        return fail("invalid bulk length");
      }
      if (size > kUnauthenticatedBulk && !authenticated) return fail("unauthenticated bulk length");
      position_ = end;
      bulk_size_ = size;
    }
    const auto size = static_cast<std::size_t>(bulk_size_);
    if (position_ + size + 2 > limits_.request_bytes_max) return fail("too big request");
    const std::string_view behind = input.substr(std::min(position_ + size, input.size()), 2);
    if (!std::string_view("\r\n").starts_with(behind)) return fail("expected CRLF behind a bulk");
    if (behind.size() < 2) return Status::kIncomplete;
    spans_.push_back({position_, size});
    position_ += size + 2;
    scanned_ = 0;
    bulk_size_ = -1;
  }
  return Status::kRequest;
}

RespParser::Status RespParser::finish(std::string_view input, RespArguments& arguments) {
  for (const Span& span : spans_) {
    arguments.views.emplace_back(input.data() + span.offset, span.size);
  }
  spans_.clear();
  if (spans_.capacity() > kSpansKept) spans_.shrink_to_fit();
  consumed_ = position_;
  position_ = scanned_ = 0;
  return Status::kRequest;
}

RespParser::Line RespParser::read_length(std::string_view input, std::int64_t* value,
                                         std::size_t* end) {
  const char* const first = input.data() + position_ + 1;
  const char* const limit = input.data() + input.size();
  // Nearly every length: a few digits and the line end.
  const char* digit = first;
  std::int64_t number = 0;
  while (digit < limit && digit - first < 9 && *digit >= '0' && *digit <= '9') {
    number = number * 10 + (*digit++ - '0');
  }
  if (digit != first && limit - digit >= 2 && *digit == '\r' && (*first != '0' || number == 0)) {
    *value = number;
    *end = static_cast<std::size_t>(digit + 2 - input.data());
    return *first == '0' && digit - first > 1 ? Line::kInvalid : Line::kValue;
  }

  const std::size_t from = std::max(scanned_, position_);
  const std::size_t line_end = input.find('\r', from);
  if (line_end == std::string_view::npos) {
    scanned_ = input.size();
    return input.size() - position_ > kLineMax ? Line::kTooLong : Line::kIncomplete;
  }
  scanned_ = line_end;
  if (line_end - position_ > kLineMax) return Line::kTooLong;
  if (line_end + 1 >= input.size()) return Line::kIncomplete;
  *end = line_end + 2;
  if (line_end == position_) return Line::kInvalid;
  const auto parsed = parse_integer(input.substr(position_ + 1, line_end - position_ - 1));
  if (!parsed) return Line::kInvalid;
  *value = *parsed;
  return Line::kValue;
}

RespParser::Status RespParser::parse_inline(std::string_view input, RespArguments& arguments) {
  const std::size_t newline = input.find('\n', scanned_);
  if (newline == std::string_view::npos) {
    scanned_ = input.size();
    return input.size() > kLineMax ? fail("too big inline request") : Status::kIncomplete;
  }
  if (newline > kLineMax) return fail("too big inline request");
  std::string_view line = input.substr(0, newline);
  if (line.ends_with('\r')) line.remove_suffix(1);
  scanned_ = 0;
  consumed_ = newline + 1;
  if (is_http_line(line)) return Status::kHttp;

  char* out = nullptr;  // an argument is never longer than its text
  for (std::size_t at = 0;;) {
    while (at < line.size() && is_space(line[at])) ++at;
    if (at == line.size()) return Status::kRequest;
    if (out == nullptr) {
      arguments.unescaped.push_back(std::make_unique<char[]>(line.size() + 8));
      out = arguments.unescaped.back().get();
    }
    char* const end = copy_inline_argument(line, &at, out);
    if (end == nullptr) return fail("unbalanced quotes in request");
    arguments.views.emplace_back(out, static_cast<std::size_t>(end - out));
    out = end;
  }
}

// Requests are arrays; the other types of RESP are replies or parts of requests.
RespParser::Status RespParser::fail_foreign(char first) {
  if (first == kTlsHandshake) return fail("this port speaks RESP without TLS");
  return fail(std::string("expected '*' or an inline command, got '") + first + "'");
}

RespParser::Status RespParser::fail(std::string_view reason) {
  error_.assign("ERR Protocol error: ").append(reason);
  return Status::kError;
}

}  // namespace vigil::server
