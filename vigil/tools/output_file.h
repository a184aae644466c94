// SPDX-License-Identifier: Apache-2.0
//
// Where the commands put what an option like --json FILE asks for.
//
// Thread safety: a pure function of the file system and the standard output.
#pragma once

#include <string>
#include <string_view>

#include "vigil/base/result.h"

namespace vigil::tools {

// Writes the whole text to the file (vigil/base/files.h says how); "-" is the standard output.
[[nodiscard]] Result<void> write_output(const std::string& path, std::string_view text);

}  // namespace vigil::tools
