// SPDX-License-Identifier: Apache-2.0
//
// CONFIG: the server's options under Redis's parameter names.
//
// Thread safety: as the Call and RespShared.
#pragma once

#include "vigil/server/resp/command.h"

namespace vigil::server {

void config_command(Call& call);

// What INFO counts starts at zero again; the metrics go on.
void reset_statistics(RespShared& shared);

}  // namespace vigil::server
