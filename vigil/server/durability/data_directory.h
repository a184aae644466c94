// SPDX-License-Identifier: Apache-2.0
//
// DataDirectory: the locked folder of one server, and what its orders need to be read again.
//
//   LOCK, FORMAT, log.*, snapshot.*   of the log (vigil/log/directory.h)
//   STATUSES                          the names of the orders' statuses, one a line: what is stored
//                                     names a status by its line, so lines are only ever added
//   vigild.ready                      of the program, while it serves
//
// Thread safety: belongs to the server.
#pragma once

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
  // Statuses of stored orders that the table has no more.
  [[nodiscard]] const std::vector<std::string>& lost_statuses() const { return lost_statuses_; }

 private:
  DataDirectory(std::unique_ptr<log::Directory> log, std::vector<std::string> lost_statuses)
      : log_(std::move(log)), lost_statuses_(std::move(lost_statuses)) {}

  const std::unique_ptr<log::Directory> log_;
  const std::vector<std::string> lost_statuses_;
};

}  // namespace vigil::server
