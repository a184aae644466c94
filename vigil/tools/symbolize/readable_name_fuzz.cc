// SPDX-License-Identifier: Apache-2.0
//
// Names of symbols: any bytes are made a name, of any nesting.
#include <cstddef>
#include <cstdint>
#include <string>

#include "vigil/base/check.h"
#include "vigil/tools/symbolize/readable_name.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vigil::tools;
  const std::string text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(symbol_name(text.c_str()));
  static_cast<void>(function_name(text.c_str()));
  const std::string tidied = tidy_name(text);
  VIGIL_CHECK(tidied.size() <= text.size() * 2 + 2, "a tidied name does not grow");
  return 0;
}
