// SPDX-License-Identifier: Apache-2.0
//
// The JSON of `vigil triage --json`; docs/triage.md describes it.
//
// Thread safety: a pure function.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "vigil/tools/triage/triage.h"

namespace vigil::tools::triage {

// An input that could not be read.
struct UnreadableInput {
  std::string path;
  std::string error;
};

std::string to_json(std::span<const InputReport> inputs,
                    std::span<const UnreadableInput> unreadable, const layers::Rules& rules);

}  // namespace vigil::tools::triage
