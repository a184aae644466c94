// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/writer.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

namespace vigil::server {

void RespWriter::line(char type, std::string_view text) {
  char* out = output_.reserve(text.size() + 3);
  *out++ = type;
  std::memcpy(out, text.data(), text.size());
  out += text.size();
  *out++ = '\r';
  *out++ = '\n';
  output_.commit(out);
}

void RespWriter::error(std::string_view message) {
  // As Redis does: no line ends at the end, spaces for those before it.
  std::string clean(message.substr(0, message.find_last_not_of("\r\n") + 1));
  std::replace_if(
      clean.begin(), clean.end(), [](char c) { return c == '\r' || c == '\n'; }, ' ');
  line('-', clean);
}

void RespWriter::bulk(std::string_view bytes) {
  char* out = bulk_header(output_.reserve(kHeaderBytes + bytes.size()), bytes.size());
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());  // data() may be null
  out += bytes.size();
  *out++ = '\r';
  *out++ = '\n';
  output_.commit(out);
}

void RespWriter::bulk_integer(std::int64_t value) {
  char digits[20];
  const char* end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  bulk({digits, static_cast<std::size_t>(end - digits)});
}

void RespWriter::floating(double value) {
  char text[40];
  const int length = std::isinf(value)
                         ? std::snprintf(text, sizeof(text), value > 0 ? "inf" : "-inf")
                         : std::snprintf(text, sizeof(text), "%.17g", value);
  const std::string_view view(text, static_cast<std::size_t>(length));
  protocol_ >= 3 ? line(',', view) : bulk(view);
}

void RespWriter::verbatim(std::string_view format, std::string_view text) {
  if (protocol_ < 3) return bulk(text);
  header('=', static_cast<std::int64_t>(text.size() + 4));
  output_.append(format);
  output_.append(":");
  output_.append(text);
  output_.append("\r\n");
}

}  // namespace vigil::server
