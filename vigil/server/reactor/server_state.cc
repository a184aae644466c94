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

ServerState::ServerState(ServerOptions server_options,
                         std::unique_ptr<DataDirectory> data_directory)
    : options(with_threads(std::move(server_options))),
      cache(options.cache),
      orders(cache, options.orders),
      durability(options, cache, std::move(data_directory)),
      buffers(options.connection_memory_limit_bytes, options.threads),
      started_ms(unix_ms()) {
  for (std::uint32_t i = 0; i < options.threads; ++i) {
    counters.push_back(std::make_unique<ReactorCounters>());
  }
  sample_load(started_ms);
}

void ServerState::sample_load(std::int64_t now_ms) {
  const cache::CacheStats stats = cache.stats();
  LoadSamples::Sample sample{.taken_ms = now_ms,
                             .held_bytes = stats.entry_bytes + stats.index_bytes};
  for (const auto& of_reactor : counters) {
    for (const Counter& family : of_reactor->commands) sample.requests += family.value();
    sample.bytes_in += of_reactor->bytes_in.value();
    sample.bytes_out += of_reactor->bytes_out.value();
  }
  load_samples.take(sample);
}

}  // namespace vigil::server
