// SPDX-License-Identifier: Apache-2.0
#include "vigil/base/version.h"

namespace vigil {

std::string_view version() { return VIGIL_VERSION; }

}  // namespace vigil
