// SPDX-License-Identifier: Apache-2.0
//
// JsonWriter: whatever the bytes are, the text is JSON for RapidJSON and for is_json(), and reads
// back as what was written. The bytes choose the layout, the structure and the strings.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/base/check.h"
#include "vigil/text/json.h"
#include "vigil/text/json_document.h"
#include "vigil/text/json_writer.h"
#include "vigil/text/utf8.h"

namespace vigil::text {
namespace {

constexpr JsonLayout kLayouts[] = {{}, {.indent = 2}, {.indent = 4, .arrays_on_one_line = true}};

// Takes the input apart; at its end every number is 0 and every string empty.
class Input {
 public:
  explicit Input(std::string_view bytes) : bytes_(bytes) {}

  [[nodiscard]] bool more() const { return !bytes_.empty(); }
  std::uint8_t number() {
    if (bytes_.empty()) return 0;
    const auto number = static_cast<std::uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return number;
  }
  std::string_view text() {
    const std::string_view text = bytes_.substr(0, number() % 32);
    bytes_.remove_prefix(text.size());
    return text;
  }

 private:
  std::string_view bytes_;
};

class Document {
 public:
  Document(Input* input, JsonWriter* json) : input_(*input), json_(*json) {}

  void write() {
    json_.begin_array();
    open_.push_back(false);
    while (input_.more()) step();
    while (!open_.empty()) close();
  }
  // In the order in which they were written.
  [[nodiscard]] const std::vector<std::string>& strings() const { return strings_; }

 private:
  void step() {
    const std::uint8_t choice = input_.number() % 8;
    if (choice == 0) {
      if (open_.size() > 1) close();
      return;
    }
    if (open_.back()) {
      const std::string_view name = input_.text();
      strings_.push_back(valid_utf8(name));
      json_.key(JsonName(name));
    }
    if (choice <= 2 && open_.size() + 1 < kJsonDepthMax) {
      open_.push_back(choice == 1);
      return choice == 1 ? json_.begin_object() : json_.begin_array();
    }
    if (choice == 3) return json_.value(input_.number() % 2 == 0);
    if (choice == 4) return json_.value(-1 / (1.0 + input_.number()));
    const std::string_view text = input_.text();
    strings_.push_back(valid_utf8(text));
    json_.value(text);
  }
  void close() {
    open_.back() ? json_.end_object() : json_.end_array();
    open_.pop_back();
  }

  Input& input_;
  JsonWriter& json_;
  std::vector<bool> open_;  // whether each is an object
  std::vector<std::string> strings_;
};

void collect(const JsonValue& value, std::vector<std::string>* strings) {
  if (value.IsString()) strings->emplace_back(value.GetString(), value.GetStringLength());
  if (value.IsArray()) {
    for (const JsonValue& element : value.GetArray()) collect(element, strings);
  }
  if (value.IsObject()) {
    for (const auto& member : value.GetObject()) {
      collect(member.name, strings);
      collect(member.value, strings);
    }
  }
}

}  // namespace
}  // namespace vigil::text

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vigil::text;
  Input input({reinterpret_cast<const char*>(data), size});
  std::string out;
  JsonWriter json(&out, kLayouts[input.number() % std::size(kLayouts)]);
  Document document(&input, &json);
  document.write();
  VIGIL_CHECK(is_json(out), "the checker takes what was written");
  const vigil::Result<rapidjson::Document> parsed = parse_json(out);
  VIGIL_CHECK(parsed.has_value(), "RapidJSON takes what was written");
  std::vector<std::string> read;
  collect(*parsed, &read);
  VIGIL_CHECK(read == document.strings(), "the strings read back");
  return 0;
}
