// SPDX-License-Identifier: Apache-2.0
//
// `vigil bench SUBJECT`: maps runs here (maps/), server hands over to scripts/bench_server.py.
//
// Thread safety: to be called from main only.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vigil::tools {

// The script, looked for in scripts/ of every folder above the program (a build folder lies inside
// its source tree).
[[nodiscard]] std::optional<std::filesystem::path> find_bench_script(
    const std::filesystem::path& program);

// The command line to run: the script, the vigild beside the program unless the user names one,
// then the user's arguments.
[[nodiscard]] std::vector<std::string> bench_server_command(const std::filesystem::path& script,
                                                            const std::filesystem::path& program,
                                                            std::span<const char* const> arguments);

int run_bench(std::span<const char* const> arguments);

}  // namespace vigil::tools
