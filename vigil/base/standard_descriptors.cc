// SPDX-License-Identifier: Apache-2.0
#include "vigil/base/standard_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

namespace vigil {

void open_standard_descriptors() noexcept {
  // The lowest free number is given out: while that is one of the three, it was closed.
  int opened = 0;
  do {
    opened = ::open("/dev/null", O_RDWR);
  } while (opened >= 0 && opened <= STDERR_FILENO);
  if (opened > STDERR_FILENO) ::close(opened);
}

}  // namespace vigil
