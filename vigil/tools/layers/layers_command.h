// SPDX-License-Identifier: Apache-2.0
//
// `vigil layers`: print the built-in rules, check a file of one's own, say where a frame belongs.
//
// Exit codes: 0 done, 1 the file has an error, 2 usage.
//
// Thread safety: to be called from main only.
#pragma once

#include <span>

namespace vigil::tools {

int run_layers(std::span<const char* const> arguments);

}  // namespace vigil::tools
