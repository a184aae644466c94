// SPDX-License-Identifier: Apache-2.0
//
// Rules files, names of functions and patterns. An input is a rules file, an empty line and a name.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "vigil/tools/layers/layers.h"
#include "vigil/tools/layers/plain_name.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vigil;
  using namespace vigil::tools;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = text.find("\n\n");
  const std::string_view name = end == text.npos ? text : text.substr(end + 2);
  report::Frame frame;
  frame.function = name;
  layers::short_name(name);
  const Result<layers::Rules> rules = layers::Rules::parse(text.substr(0, end), "fuzz");
  if (rules) static_cast<void>(rules->attribute({frame}));
  return 0;
}
