// SPDX-License-Identifier: Apache-2.0
//
// `vigil gate`: reads race logs or runs the tests, judges what was found by a policy, and writes
// the verdict for people and CI systems.
//
// Thread safety: to be called from main only.
#pragma once

#include <span>

namespace vigil::tools {

int run_gate(std::span<const char* const> arguments);

}  // namespace vigil::tools
