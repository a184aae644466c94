// SPDX-License-Identifier: Apache-2.0
//
// Configuration files: any text is applied or refused with a message that names a line; what was
// applied prints as a file that loads back to the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "vigil/base/check.h"
#include "vigil/server/config/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using vigil::server::Config;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Config config;
  const vigil::Result<void> applied = vigil::server::apply_toml(text, "fuzz.toml", &config);
  if (!applied) {
    VIGIL_CHECK(applied.error().message.starts_with("fuzz.toml:"), "an error names its line");
    return 0;
  }
  const std::string printed = vigil::server::to_toml(config);
  Config reloaded;
  const vigil::Result<void> again = vigil::server::apply_toml(printed, "printed", &reloaded);
  VIGIL_CHECK(again.has_value(), "a printed configuration loads");
  VIGIL_CHECK(vigil::server::to_toml(reloaded) == printed, "and prints the same");
  return 0;
}
