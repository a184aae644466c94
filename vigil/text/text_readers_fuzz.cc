// SPDX-License-Identifier: Apache-2.0
//
// Readers of text formats, and what shows text: the first byte chooses.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "vigil/base/check.h"
#include "vigil/text/json.h"
#include "vigil/text/json_document.h"
#include "vigil/text/toml.h"
#include "vigil/text/utf8.h"
#include "vigil/text/visible.h"
#include "vigil/text/wildcard.h"
#include "vigil/text/xml.h"

namespace vigil::text {
namespace {

void read_json(std::string_view text) {
  const bool is_document = parse_json(text).has_value();
  VIGIL_CHECK(is_document || !is_json(text), "what is JSON is read");
  if (!is_document || !is_utf8(text)) return;
  VIGIL_CHECK(parse_json(visible_json(text)).has_value(), "visible JSON is JSON");
}

void read_toml(std::string_view text) {
  const Result<toml::table> table = parse_toml(text, "fuzz");
  VIGIL_CHECK(table || table.error().message.starts_with("fuzz:"), "an error names its file");
}

void show(std::string_view text) {
  const std::string shown = visible_text(text);
  VIGIL_CHECK(is_utf8(shown) && visible_text(shown) == shown, "what is shown is shown as it is");
  VIGIL_CHECK(is_utf8(xml_text(text)), "XML is UTF-8");
}

// A pattern, a line feed and a text.
void match(std::string_view text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return;
  const std::string_view pattern = text.substr(0, end);
  const std::string_view name = text.substr(end + 1);
  const bool fits = wildcard_match(pattern, name);
  VIGIL_CHECK(!fits || wildcard_match(std::string("*").append(pattern).append("*"), name),
              "what fits, fits as a part");
  VIGIL_CHECK(!fits || wildcard_match(pattern, name, {.ignore_case = true}),
              "what fits, fits in any case");
}

}  // namespace
}  // namespace vigil::text

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vigil::text;
  constexpr void (*kReaders[])(std::string_view) = {read_json, read_toml, show, match};
  if (size == 0) return 0;
  kReaders[data[0] % std::size(kReaders)]({reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
