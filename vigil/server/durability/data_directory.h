// SPDX-License-Identifier: Apache-2.0
//
// DataDirectory: the locked folder of one server, and what its orders need to be read again.
//
//   LOCK, FORMAT, log.*, snapshot.*   of the log (vigil/log/directory.h)
//   STATUSES                          the names of the orders' statuses, one a line: what is stored
//                                     names a status by its line, so lines are only ever added
//   CLOCK                             how far the wall clock is before the time in which deadlines
//   are
//                                     kept (base/wall_clock.h); missing while it never was stepped
//   vigild.ready                      of the program, while it serves
//
// Thread safety: belongs to the server.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/log/directory.h"
#include "vigil/server/config/options.h"

namespace vigil::server {

class DataDirectory {
 public:
  // Makes options->data_dir if it is missing, takes it for this process, and lets options->orders
  // go on with what is stored there: the secret of the answers to idempotency keys and the numbers
  // of the statuses. Errors name the folder or the file, the reason and what to do.
  static Result<std::unique_ptr<DataDirectory>> open(ServerOptions* options);

  [[nodiscard]] const std::string& path() const { return log_->path(); }
  [[nodiscard]] log::Directory& log() const { return *log_; }
  // What begin_unix_ms_behind_wall_clock() wants to hear before deadlines are read or given.
  [[nodiscard]] std::int64_t wall_ahead_ms() const { return wall_ahead_ms_; }
  // Keeps it for the next start; nothing is written if it is about the same as before.
  [[nodiscard]] Result<void> note_wall_ahead(std::int64_t ahead_ms);
  // Statuses of stored orders that the table has no more.
  [[nodiscard]] const std::vector<std::string>& lost_statuses() const { return lost_statuses_; }

 private:
  DataDirectory(std::unique_ptr<log::Directory> log, std::vector<std::string> lost_statuses,
                std::int64_t wall_ahead_ms)
      : log_(std::move(log)),
        lost_statuses_(std::move(lost_statuses)),
        wall_ahead_ms_(wall_ahead_ms) {}

  const std::unique_ptr<log::Directory> log_;
  const std::vector<std::string> lost_statuses_;
  std::int64_t wall_ahead_ms_;  // as in CLOCK
};

}  // namespace vigil::server
