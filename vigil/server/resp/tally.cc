// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/tally.h"

#include "vigil/server/resp/command.h"

namespace vigil::server {

void RespTally::flush(ReactorCounters& counters, CommandStatistics& statistics,
                      std::size_t requests, std::int64_t elapsed_ns) {
  const auto elapsed = static_cast<std::uint64_t>(elapsed_ns);
  const std::uint64_t each = elapsed / requests;
  const std::uint32_t bucket = LatencyHistogram::bucket_of(each);
  counters.batch_latency.record_in(requests == 1 ? bucket : LatencyHistogram::bucket_of(elapsed),
                                   elapsed, 1);
  counters.batch_requests.add(requests);
  if (writes != 0) counters.write_latency.record_in(bucket, each, writes);
  for (const Run* run = runs_.data(); run <= last_; ++run) {
    if (run->requests == 0) continue;
    const auto family = run->command != nullptr ? run->command->family : CommandFamily::kUnknown;
    counters.commands[static_cast<std::size_t>(family)].add(run->requests);
    if (run->command != nullptr)
      statistics.of(run->command->number).time.record_in(bucket, each, run->requests);
  }
  if (hits != 0) counters.hits.add(hits);
  if (misses != 0) counters.misses.add(misses);
  if (errors != 0) counters.errors.add(errors);
  if (busy != 0) counters.busy_rejections.add(busy);
  writes = hits = misses = errors = busy = 0;
  runs_.front() = {};
  last_ = runs_.data();
}

}  // namespace vigil::server
