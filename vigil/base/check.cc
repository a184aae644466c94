// SPDX-License-Identifier: Apache-2.0
#include "vigil/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace vigil::internal {

void check_failed(const char* condition, const char* file, int line, const char* message) noexcept {
  std::fprintf(stderr, "vigil: check failed: %s\n  at %s:%d\n  %s\n", condition, file, line,
               message);
  std::abort();
}

}  // namespace vigil::internal
