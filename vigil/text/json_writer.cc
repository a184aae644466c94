// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/json_writer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "vigil/text/hex.h"
#include "vigil/text/json_plain_text.h"
#include "vigil/text/utf8.h"

namespace vigil::text {
namespace {

// What stands for a byte that JSON does not take as it is.
void append_escaped(char c, std::string* out) {
  switch (c) {
    case '"':
    case '\\':
      out->append({'\\', c});
      return;
    case '\b':
      out->append("\\b");
      return;
    case '\f':
      out->append("\\f");
      return;
    case '\n':
      out->append("\\n");
      return;
    case '\r':
      out->append("\\r");
      return;
    case '\t':
      out->append("\\t");
      return;
    default:
      break;
  }
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x80) {
    out->append(kReplacementCharacter);
  } else {
    out->append({'\\', 'u', '0', '0', kUpperHexDigits[byte >> 4U], kUpperHexDigits[byte & 15U]});
  }
}

}  // namespace

void append_json_string(std::string_view bytes, std::string* out) {
  const char* const end = bytes.data() + bytes.size();
  const char* copied = bytes.data();
  out->push_back('"');
  for (const char* at = copied; (at = skip_plain_json(at, end)) != end; copied = ++at) {
    out->append(copied, at);
    append_escaped(*at, out);
  }
  out->append(copied, end);
  out->push_back('"');
}

void JsonWriter::put(std::string_view text) {
  if (text.size() > kPieceBytesMax) {
    flush();
    out_->append(text);
    return;
  }
  char* const at = reserve_piece();
  std::memcpy(at, text.data(), text.size());
  keep_piece(at + text.size());
}

void JsonWriter::quote(std::string_view bytes) {
  const char* const end = bytes.data() + bytes.size();
  if (bytes.size() + 2 <= kPieceBytesMax && skip_plain_json(bytes.data(), end) == end) {
    char* at = reserve_piece();
    *at++ = '"';
    std::memcpy(at, bytes.data(), bytes.size());
    at += bytes.size();
    *at++ = '"';
    return keep_piece(at);
  }
  flush();
  append_json_string(bytes, out_);
}

void JsonWriter::begin(char bracket) {
  begin_value();
  put(bracket);
  ++depth_;
  place_ = Place::kFirst;
}

void JsonWriter::end(char bracket, bool on_own_line) {
  --depth_;
  if (on_own_line && place_ != Place::kFirst) new_line();
  put(bracket);
  place_ = Place::kNext;
  end_value();
}

void JsonWriter::key_slow_path(std::string_view name) {
  if (place_ == Place::kNext) put(',');
  if (layout_.indent != 0) new_line();
  quote(name);
  put(layout_.indent != 0 ? ": " : ":");
  place_ = Place::kAfterKey;
}

void JsonWriter::separate() {
  if (place_ == Place::kNext) put(',');
  if (layout_.indent == 0 || depth_ == 0) return;
  if (!layout_.arrays_on_one_line) {
    new_line();
  } else if (place_ == Place::kNext) {
    put(' ');
  }
}

void JsonWriter::new_line() {
  flush();
  out_->append("\n").append(std::size_t{depth_} * layout_.indent, ' ');
}

void JsonWriter::value(std::string_view text) {
  begin_value();
  quote(text);
  end_value();
}

void JsonWriter::json(std::string_view text) {
  begin_value();
  put(text);
  end_value();
}

void JsonWriter::value(double value) {
  if (!std::isfinite(value)) return null();
  // Plain digits where they are few; a point or an exponent says that the number may be a fraction.
  constexpr double kPlainMin = 1e-6;
  constexpr double kPlainMax = 1e21;
  const double size = std::abs(value);
  const bool is_plain = size == 0 || (size >= kPlainMin && size < kPlainMax);
  const auto format = is_plain ? std::chars_format::fixed : std::chars_format::scientific;
  begin_value();
  char* const at = reserve_piece();
  char* end = std::to_chars(at, at + kPieceBytesMax, value, format).ptr;
  const std::string_view digits(at, static_cast<std::size_t>(end - at));
  if (digits.find_first_of(".e") == std::string_view::npos) end = std::copy_n(".0", 2, end);
  keep_piece(end);
  end_value();
}

}  // namespace vigil::text
