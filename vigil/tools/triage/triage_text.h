// SPDX-License-Identifier: Apache-2.0
//
// Triage as text for a person.
//
// Thread safety: a pure function.
#pragma once

#include <cstddef>
#include <string>

#include "vigil/tools/triage/triage.h"

namespace vigil::tools::triage {

struct TextStyle {
  std::size_t columns = 0;  // longer lines are cut; 0: never
  bool colour = false;
  std::size_t groups_max = 10;  // what is left out is counted
};

std::string to_text(const InputReport& input, const layers::Rules& rules, const TextStyle& style);

}  // namespace vigil::tools::triage
