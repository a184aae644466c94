// SPDX-License-Identifier: Apache-2.0
//
// demangled(): "_ZN3svc6handleEv" -> "svc::handle()". Other names stay as they are.
//
// Thread safety: pure. Allocates: not for signal handlers.
#pragma once

#include <string>
#include <string_view>

namespace vigil::stacks {

[[nodiscard]] std::string demangled(std::string_view linkage_name);

}  // namespace vigil::stacks
