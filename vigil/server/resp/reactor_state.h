// SPDX-License-Identifier: Apache-2.0
//
// RespReactor: what the RESP sessions of one reactor share: one batch and one tally, because only
// one of them runs at a time.
//
// Thread safety: belongs to one reactor.
#pragma once

#include <string>

#include "vigil/base/random.h"
#include "vigil/server/reactor/server_state.h"
#include "vigil/server/resp/batch.h"
#include "vigil/server/resp/shared.h"
#include "vigil/server/resp/tally.h"

namespace vigil::server {

struct RespReactor {
  RespReactor(ReactorContext& reactor_context, RespShared& resp_shared)
      : context(reactor_context),
        shared(resp_shared),
        statistics(*resp_shared.command_statistics[reactor_context.reactor]),
        random(random_seed()) {}

  ReactorContext& context;
  RespShared& shared;
  CommandStatistics& statistics;
  RespBatch batch;
  RespTally tally;
  Random random;        // of RANDOMKEY
  std::string scratch;  // of handlers that build a value
};

}  // namespace vigil::server
