// SPDX-License-Identifier: Apache-2.0
//
// ServiceManager: what systemd wants to know of a service of Type=notify, by its own protocol
// (sd_notify(3)): datagrams of lines to the socket that NOTIFY_SOCKET names.
//
//   ServiceManager manager = ServiceManager::from_environment();
//   manager.tell("READY=1");
//   ... each watchdog_interval_ms() / 2 ...: manager.tell("WATCHDOG=1");
//
// Without a manager, or if it does not listen, nothing happens: nobody asked.
//
// Thread safety: belongs to main.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::apps {

class ServiceManager {
 public:
  // Takes the variables out of the environment: they are not for children.
  [[nodiscard]] static ServiceManager from_environment();

  // "READY=1\nSTATUS=..."
  void tell(std::string_view lines) const;

  // Within how long WATCHDOG=1 is to come again; 0: nobody waits for it.
  [[nodiscard]] std::int64_t watchdog_interval_ms() const { return watchdog_interval_ms_; }

 private:
  std::string socket_;  // empty: there is no manager
  std::int64_t watchdog_interval_ms_ = 0;
};

}  // namespace vigil::apps
