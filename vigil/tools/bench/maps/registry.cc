// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/bench/maps/registry.h"

namespace vigil::tools {

// CMakeLists.txt defines VIGIL_BENCH_WITHOUT_x where package x was not found.
Registry all_maps() {
  Registry registry;
  add_vigil_maps(registry);
#ifndef VIGIL_BENCH_WITHOUT_abseil
  add_abseil_maps(registry);
#endif
#ifndef VIGIL_BENCH_WITHOUT_tbb
  add_tbb_maps(registry);
#endif
#ifndef VIGIL_BENCH_WITHOUT_urcu
  add_urcu_maps(registry);
#endif
#ifndef VIGIL_BENCH_WITHOUT_boost
  add_boost_limit(registry);
#endif
  return registry;
}

}  // namespace vigil::tools
