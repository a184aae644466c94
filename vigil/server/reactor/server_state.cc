// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/reactor/server_state.h"

#include <sched.h>

#include <algorithm>
#include <utility>

#include "vigil/base/clock.h"

namespace vigil::server {

namespace {

std::uint32_t usable_cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (::sched_getaffinity(0, sizeof(cores), &cores) != 0) return 1;
  return static_cast<std::uint32_t>(std::max(CPU_COUNT(&cores), 1));
}

ServerOptions with_threads(ServerOptions options) {
  if (options.threads == 0) options.threads = usable_cores();
  return options;
}

}  // namespace

ServerState::ServerState(ServerOptions server_options)
    : options(with_threads(std::move(server_options))),
      cache(options.cache),
      orders(cache, options.orders),
      buffers(options.connection_memory_limit_bytes, options.threads),
      started_ms(unix_ms()) {
  for (std::uint32_t i = 0; i < options.threads; ++i) {
    counters.push_back(std::make_unique<ReactorCounters>());
  }
}

}  // namespace vigil::server
