// SPDX-License-Identifier: Apache-2.0
//
// Whether a file that somebody names as a program can be one.
//
// Thread safety: a pure function of the file system.
#pragma once

#include <string>

#include "vigil/base/result.h"

namespace vigil::tools {

// Error: it is not there, or no regular ELF file.
Result<void> check_program(const std::string& path);

}  // namespace vigil::tools
