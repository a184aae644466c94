// SPDX-License-Identifier: Apache-2.0
//
// The JSON of `vigil triage --json`; docs/triage.md describes it.
//
// Thread safety: a pure function.
#pragma once

#include <span>
#include <string>

#include "vigil/tools/triage/triage.h"

namespace vigil::tools::triage {

std::string to_json(std::span<const InputReport> inputs, const layers::Rules& rules);

}  // namespace vigil::tools::triage
