// SPDX-License-Identifier: Apache-2.0
//
// RespTally: what the commands of a batch count, in plain integers; added to the reactor's counters
// at the batch's end.
//
// Requests are counted in runs of one command, because a pipeline mostly repeats its command: a
// request costs a comparison and an addition, whatever there is to count per command.
//
// Thread safety: belongs to one reactor.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "vigil/server/reactor/counters.h"
#include "vigil/server/resp/batch.h"
#include "vigil/server/resp/command_statistics.h"

namespace vigil::server {

struct Command;

class RespTally {
 public:
  std::uint32_t writes = 0;
  std::uint32_t hits = 0;
  std::uint32_t misses = 0;
  std::uint32_t errors = 0;
  std::uint32_t busy = 0;

  // A request for the command begins; nullptr: there is no such command.
  void count(const Command* command) {
    if (last_->command != command) [[unlikely]]
      *++last_ = {command, 0};
    ++last_->requests;
  }
  // It turns out to be one for this subcommand. REQUIRES: called once per request.
  void refine(const Command& subcommand) {
    --last_->requests;
    *++last_ = {&subcommand, 1};
  }
  // The command of the last request.
  [[nodiscard]] const Command* last() const { return last_->command; }

  // Adds everything to the counters, with a batch of `requests` that took `elapsed_ns`, and starts
  // again at zero. REQUIRES: requests != 0.
  void flush(ReactorCounters& counters, CommandStatistics& statistics, std::size_t requests,
             std::int64_t elapsed_ns);

 private:
  struct Run {
    const Command* command = nullptr;
    std::uint32_t requests = 0;
  };

  // The first one, of unknown commands, may be empty; each request adds two at most.
  std::array<Run, 1 + 2 * RespBatch::kRequestsMax> runs_{};
  Run* last_ = runs_.data();
};

}  // namespace vigil::server
