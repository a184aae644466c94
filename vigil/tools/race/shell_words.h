// SPDX-License-Identifier: Apache-2.0
//
// Command lines as text: words that a shell, or gcc's response files, take apart.
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vigil::tools::race {

// Separated by white space, quoted by ' or ", escaped by a backslash (within ' ' it stands for
// itself in a shell, not in a response file).
enum class Quoting { kShell, kResponseFile };
[[nodiscard]] std::vector<std::string> split_words(std::string_view text, Quoting quoting);

// A command line that a shell takes apart into these words again.
[[nodiscard]] std::string shell_command(const std::vector<std::string>& words);

}  // namespace vigil::tools::race
