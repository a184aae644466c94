// SPDX-License-Identifier: Apache-2.0
//
// `vigil triage`: who collided with whom on which map.
//
// Exit codes: 0 nothing found, 1 findings, 2 usage, 3 an input could not be read.
//
// Thread safety: to be called from main only.
#pragma once

#include <span>

namespace vigil::tools {

int run_triage(std::span<const char* const> arguments);

}  // namespace vigil::tools
