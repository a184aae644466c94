// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/tally.h"

namespace vigil::server {

void RespTally::flush(ReactorCounters& counters, std::size_t requests, std::int64_t elapsed_ns) {
  const auto elapsed = static_cast<std::uint64_t>(elapsed_ns);
  counters.batch_latency.record(elapsed);
  counters.batch_requests.add(requests);
  if (writes != 0) counters.write_latency.record(elapsed / requests, writes);
  for (std::size_t i = 0; i < kCommandFamilies; ++i) {
    if (commands[i] != 0) counters.commands[i].add(commands[i]);
  }
  if (hits != 0) counters.hits.add(hits);
  if (misses != 0) counters.misses.add(misses);
  if (errors != 0) counters.errors.add(errors);
  if (busy != 0) counters.busy_rejections.add(busy);
  *this = {};
}

}  // namespace vigil::server
