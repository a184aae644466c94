// SPDX-License-Identifier: Apache-2.0
//
// What the commands say to people: on a terminal, or into the log of a CI service. Paths, names and
// lines come from inputs; neither may obey them.
//
// Thread safety: pure functions of the environment and the descriptors.
#pragma once

#include <string>
#include <string_view>

#include "vigil/base/result.h"

namespace vigil::tools {

// One line of output: nothing in it is hidden (vigil/text/visible.h), and no CI service takes it
// for a command, which GitHub does with "::error::" at the start of a line and "##[error]"
// anywhere, as Azure does with "##vso[", TeamCity with "##teamcity[".
[[nodiscard]] std::string output_line(std::string_view text);

// "vigil gate: race.log: no such file" as one line on the standard error.
void complain(std::string_view command, std::string_view message);
inline void complain(std::string_view command, const Error& error) {
  complain(command, error.message);
}

// Whether the descriptor is a terminal that can move its cursor: not one with TERM=dumb or none.
[[nodiscard]] bool has_cursor(int descriptor);
// Besides: NO_COLOR is not set or empty.
[[nodiscard]] bool has_colour(int descriptor);

}  // namespace vigil::tools
