// SPDX-License-Identifier: Apache-2.0
#include <sched.h>

#include "vigil/maps/map_modules_test.h"

namespace vigil::maps::testing {

extern "C" [[gnu::visibility("default")]] std::uint64_t vigil_read_until(
    const SharedMap* map, const std::atomic<bool>* stop) {
  std::uint64_t ended = 0;
  while (!stop->load(std::memory_order_relaxed)) {
    for (int key = 0; key < 8; ++key) {
      map->visit(key, [&ended](const Canary& canary) {
        sched_yield();  // so that writers come between
        if (canary.state != Canary::kAlive) ++ended;
      });
    }
  }
  return ended;
}

}  // namespace vigil::maps::testing
