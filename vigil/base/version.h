// SPDX-License-Identifier: Apache-2.0
//
// The version of vigil, "0.1.0", as the project() line of CMakeLists.txt states it.
//
// Thread safety: a pure function.
#pragma once

#include <string_view>

namespace vigil {

[[nodiscard]] std::string_view version();

}  // namespace vigil
