// SPDX-License-Identifier: Apache-2.0
//
// JsonWriter: JSON text (RFC 8259) piece by piece, appended to a string. Strings may hold any
// bytes: what is not UTF-8 becomes U+FFFD, so that one broken name does not spoil the document.
//
//   std::string out;
//   text::JsonWriter json(&out);
//   json.begin_object();
//   json.member("name", "a\xFF");
//   json.begin_array("counts");
//   for (const int count : {1, 2}) json.value(count);
//   json.end_array();
//   json.end_object();                        // {"name":"a\uFFFD","counts":[1,2]}
//
// The caller keeps the structure: each begin has its end, members are in objects, values in arrays
// or after key(). A function that writes a part of a document takes the writer.
//
// Thread safety: none. Complexity: linear. Exceptions: only bad_alloc of the string.
#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "vigil/text/json_plain_text.h"

namespace vigil::text {

// Appends a quoted string.
void append_json_string(std::string_view bytes, std::string* out);

// The name of a member: a literal, which is checked when it is compiled to need no escapes, or any
// text.
class JsonName {
 public:
  template <std::size_t kSize>
  consteval JsonName(const char (&literal)[kSize]) : text_(literal, kSize - 1), is_plain_(true) {
    for (const char c : text_) {
      if (!is_plain_json_character(c)) throw "the name needs escapes: JsonName(std::string_view)";
    }
  }
  explicit JsonName(std::string_view text) : text_(text) {}

  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] bool is_plain() const { return is_plain_; }

 private:
  std::string_view text_;
  bool is_plain_ = false;
};

struct JsonLayout {
  unsigned indent = 0;  // spaces per level; 0: everything on one line, without spaces
  bool arrays_on_one_line = false;
};

class JsonWriter {
 public:
  // `out` outlives the writer, and holds all that was written after the outermost end, or after a
  // value outside of objects and arrays.
  explicit JsonWriter(std::string* out, JsonLayout layout = {}) : out_(out), layout_(layout) {}
  // What is unfinished stays unwritten: an exception may be on its way.
  ~JsonWriter() = default;
  JsonWriter(const JsonWriter&) = delete;
  JsonWriter& operator=(const JsonWriter&) = delete;

  void begin_object() { begin('{'); }
  void end_object() { end('}', layout_.indent != 0); }
  void begin_array() { begin('['); }
  void end_array() { end(']', layout_.indent != 0 && !layout_.arrays_on_one_line); }

  void begin_object(JsonName name) { key(name), begin_object(); }
  void begin_array(JsonName name) { key(name), begin_array(); }

  // The name of the member whose value comes next.
  void key(JsonName name);

  void value(std::string_view text);
  void value(const char* text) { value(std::string_view(text)); }
  void value(bool value) { json(value ? "true" : "false"); }
  template <std::integral Integer>
  void value(Integer value);
  // The shortest digits that read back as the same number; null if it is not finite.
  void value(double value);
  void null() { json("null"); }
  // One value that is JSON already. REQUIRES: it is; is_json() says whether.
  void json(std::string_view text);

  template <class Value>
  void member(JsonName name, const Value& value) {
    key(name);
    this->value(value);
  }

 private:
  enum class Place : std::uint8_t { kFirst, kNext, kAfterKey };

  // Small pieces gather here: appending each to the string would cost more than making it.
  static constexpr std::size_t kPiecesBytes = 256;
  static constexpr std::size_t kPieceBytesMax = 64;

  void begin(char bracket);
  void end(char bracket, bool on_own_line);
  void begin_value() {
    if (place_ != Place::kAfterKey) separate();
    place_ = Place::kNext;
  }
  void end_value() {
    if (depth_ == 0) flush();
  }
  void separate();  // a value from the one before it
  void new_line();
  void quote(std::string_view bytes);
  void key_slow_path(std::string_view name);

  // Room for a piece of up to kPieceBytesMax bytes, which then ends at `end`.
  char* reserve_piece() {
    if (kPiecesBytes - size_ < kPieceBytesMax) flush();
    return pieces_.data() + size_;
  }
  void keep_piece(const char* end) { size_ = static_cast<std::size_t>(end - pieces_.data()); }
  void put(char c) {
    char* const at = reserve_piece();
    *at = c;
    keep_piece(at + 1);
  }
  void put(std::string_view text);
  void flush() {
    out_->append(pieces_.data(), size_);
    size_ = 0;
  }

  std::string* out_;
  JsonLayout layout_;
  Place place_ = Place::kFirst;  // of what comes next in its object or array
  unsigned depth_ = 0;
  std::size_t size_ = 0;  // of the pieces
  std::array<char, kPiecesBytes> pieces_;
};

inline void JsonWriter::key(JsonName name) {
  const std::string_view text = name.text();
  if (!name.is_plain() || text.size() + 4 > kPieceBytesMax || layout_.indent != 0) {
    return key_slow_path(text);
  }
  char* at = reserve_piece();  // ,"name":
  *at = ',';
  at += place_ == Place::kNext ? 1 : 0;
  *at++ = '"';
  std::memcpy(at, text.data(), text.size());
  at += text.size();
  *at++ = '"';
  *at++ = ':';
  keep_piece(at);
  place_ = Place::kAfterKey;
}

template <std::integral Integer>
void JsonWriter::value(Integer value) {
  begin_value();
  char* const at = reserve_piece();
  keep_piece(std::to_chars(at, at + kPieceBytesMax, value).ptr);
  end_value();
}

}  // namespace vigil::text
