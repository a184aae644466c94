// SPDX-License-Identifier: Apache-2.0
//
// `vigil log dump|check|repair DIR`: looks at a data directory of vigild that no server has open,
// and saves what can be saved of a damaged one.
//
// Thread safety: to be called from main only.
#pragma once

#include <span>

namespace vigil::tools {

int run_log(std::span<const char* const> arguments);

}  // namespace vigil::tools
