// SPDX-License-Identifier: Apache-2.0
#include "vigil/base/random.h"

#include <random>

namespace vigil {

std::uint64_t random_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace vigil
