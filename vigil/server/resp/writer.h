// SPDX-License-Identifier: Apache-2.0
//
// RespWriter: replies in RESP2 or RESP3, appended to an Output.
//
// The protocol version decides how the types that RESP2 lacks are written: a map is a flat array,
// a set and a push are arrays, a double and a verbatim string are bulk strings, null is "$-1".
//
// Thread safety: as its Output.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "vigil/server/reactor/output.h"

namespace vigil::server {

class RespWriter {
 public:
  static constexpr std::size_t kHeaderBytes = 32;  // more than "$", 20 digits and two CRLF

  RespWriter(Output& output, int protocol) : output_(output), protocol_(protocol) {}

  [[nodiscard]] Output& output() { return output_; }
  [[nodiscard]] int protocol() const { return protocol_; }

  void ok() { output_.append("+OK\r\n"); }
  void simple(std::string_view text) { line('+', text); }
  // `message` begins with its code: "ERR syntax error". Line breaks in it become spaces.
  void error(std::string_view message);
  void integer(std::int64_t value) { header(':', value); }
  void integer(std::string_view digits) { line(':', digits); }
  void boolean_integer(bool value) { output_.append(value ? ":1\r\n" : ":0\r\n"); }
  void null() { output_.append(protocol_ >= 3 ? "_\r\n" : "$-1\r\n"); }
  void bulk(std::string_view bytes);
  void bulk_integer(std::int64_t value);
  void floating(double value);
  // `format` is three characters: "txt" or "mkd".
  void verbatim(std::string_view format, std::string_view text);

  // Aggregates: the header; the elements follow.
  void array(std::size_t size) { header('*', static_cast<std::int64_t>(size)); }
  void map(std::size_t pairs) {
    header(protocol_ >= 3 ? '%' : '*',
           static_cast<std::int64_t>(protocol_ >= 3 ? pairs : 2 * pairs));
  }
  void set(std::size_t size) {
    header(protocol_ >= 3 ? '~' : '*', static_cast<std::int64_t>(size));
  }
  void push(std::size_t size) {
    header(protocol_ >= 3 ? '>' : '*', static_cast<std::int64_t>(size));
  }

  // Writes "$<size>\r\n" to `out` (kHeaderBytes are enough) and returns the end.
  static char* bulk_header(char* out, std::size_t size) {
    *out++ = '$';
    out = std::to_chars(out, out + 20, size).ptr;
    *out++ = '\r';
    *out++ = '\n';
    return out;
  }

 private:
  void header(char type, std::int64_t value) {
    char* out = output_.reserve(kHeaderBytes);
    *out++ = type;
    out = std::to_chars(out, out + 20, value).ptr;
    *out++ = '\r';
    *out++ = '\n';
    output_.commit(out);
  }
  void line(char type, std::string_view text);

  Output& output_;
  int protocol_;
};

}  // namespace vigil::server
