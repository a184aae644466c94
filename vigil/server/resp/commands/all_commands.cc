// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/commands/all_commands.h"

#include "vigil/server/resp/commands/families.h"

namespace vigil::server {

const CommandTable& all_commands() {
  static const CommandTable commands({client_commands(), command_commands(), config_commands(),
                                      connection_commands(), expiry_commands(), key_commands(),
                                      number_commands(), order_commands(), persistence_commands(),
                                      pubsub_commands(), server_commands(), set_commands(),
                                      string_commands()});
  return commands;
}

}  // namespace vigil::server
