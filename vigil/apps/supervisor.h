// SPDX-License-Identifier: Apache-2.0
//
// Supervisor: what main does while the server runs: it waits for the data to be read and for the
// signal to stop, opens the log file again on SIGHUP, and keeps the service manager's watchdog
// quiet as long as every reactor turns. A step of the wall clock is noted in the data directory.
//
// Signals: SIGINT and SIGTERM stop; SIGHUP opens the log; SIGUSR1, SIGUSR2 and SIGPIPE are ignored.
//
// Thread safety: belongs to main, but for set_loaded().
#pragma once

#include <optional>

#include "vigil/apps/log_file.h"
#include "vigil/apps/service_manager.h"
#include "vigil/base/result.h"
#include "vigil/server/server.h"

namespace vigil::apps {

class Supervisor {
 public:
  // Before the first thread starts: all threads inherit it, and signals arrive here only.
  static void block_signals();

  // `log_file`: null if the log goes to standard error. All outlive the supervisor.
  Supervisor(server::Server& server, const ServiceManager& manager, LogFile* log_file);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // The data was read, or why it could not be. From any thread, once.
  void set_loaded(Result<void> result);

  // The result of loading; nothing if a signal said stop before.
  [[nodiscard]] std::optional<Result<void>> await_loaded();
  void await_stop();

  // From now on a stop signal ends the process at once, whatever it waits for.
  static void exit_on_next_stop_signal();

 private:
  enum class Event : std::uint8_t { kLoaded, kStop };

  [[nodiscard]] Event await();
  [[nodiscard]] bool stop_was_received() const;
  void look_around();
  void reopen_log() const;

  server::Server& server_;
  const ServiceManager& manager_;
  LogFile* const log_file_;
  const int signals_;
  const int loaded_;
  Result<void> result_;
  bool clock_warned_ = false;
};

}  // namespace vigil::apps
