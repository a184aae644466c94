// SPDX-License-Identifier: Apache-2.0
//
// Where the parts of this vigil are: a build folder or an installed prefix.
//
// Thread safety: pure but for looking at the file system.
#pragma once

#include <filesystem>

#include "vigil/base/result.h"

namespace vigil::tools::race {

// The running program.
[[nodiscard]] std::filesystem::path own_program();

// libvigil_race.a that belongs to `program`: in its folder (a build folder) or in the library
// folder of its prefix. The environment variable VIGIL_RACE_RUNTIME names another one.
[[nodiscard]] Result<std::filesystem::path> find_runtime(const std::filesystem::path& program);

}  // namespace vigil::tools::race
