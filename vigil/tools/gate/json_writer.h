// SPDX-License-Identifier: Apache-2.0
//
// JsonWriter: JSON text with strings made valid. What a log calls a function may hold any bytes;
// a document with a broken one would be refused as a whole.
//
// Thread safety: none.
#pragma once

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::tools::gate {

// Bytes that are not UTF-8 become U+FFFD.
std::string valid_utf8(std::string_view bytes);

class JsonWriter {
 public:
  void begin_object() { writer_.StartObject(); }
  void end_object() { writer_.EndObject(); }
  void begin_array() { writer_.StartArray(); }
  void end_array() { writer_.EndArray(); }
  void begin_object(std::string_view key) { name(key), begin_object(); }
  void begin_array(std::string_view key) { name(key), begin_array(); }

  void element(std::string_view text) {
    const std::string valid = valid_utf8(text);
    writer_.String(valid.data(), static_cast<rapidjson::SizeType>(valid.size()));
  }
  void member(std::string_view key, std::string_view text) { name(key), element(text); }
  void member(std::string_view key, const char* text) { name(key), element(text); }
  void member(std::string_view key, bool value) { name(key), writer_.Bool(value); }
  void member(std::string_view key, int value) { name(key), writer_.Int(value); }
  void member(std::string_view key, std::uint64_t value) { name(key), writer_.Uint64(value); }

  [[nodiscard]] std::string_view text() const { return {buffer_.GetString(), buffer_.GetSize()}; }
  [[nodiscard]] std::size_t size() const { return buffer_.GetSize(); }

 private:
  void name(std::string_view key) {
    writer_.Key(key.data(), static_cast<rapidjson::SizeType>(key.size()));
  }

  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_{buffer_};
};

}  // namespace vigil::tools::gate
