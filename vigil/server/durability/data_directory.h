// SPDX-License-Identifier: Apache-2.0
//
// DataDirectory: the locked folder of one server, and what its orders need to be read again.
//
//   LOCK, FORMAT, log.*, snapshot.*   of the log (vigil/log)
//   STATUSES                          the names of the orders' statuses, one a line: stored orders
//                                     name a status by its line, so lines are only ever added
//   vigild.ready                      of the program, while it serves
//
// Thread safety: belongs to its owner.
#pragma once

#include <memory>

#include "vigil/base/result.h"
#include "vigil/log/directory.h"
#include "vigil/server/config/options.h"

namespace vigil::server {

class DataDirectory {
 public:
  // Makes options->data_dir if it is missing, takes it for this process, and lets options->orders
  // continue what is stored there: the secret of the answers to idempotency keys, the numbers of
  // the statuses. The error names the folder, the reason and what to do.
  static Result<std::unique_ptr<DataDirectory>> open(ServerOptions* options);

  [[nodiscard]] log::Directory& log_directory() { return *log_directory_; }

 private:
  explicit DataDirectory(std::unique_ptr<log::Directory> log_directory)
      : log_directory_(std::move(log_directory)) {}

  std::unique_ptr<log::Directory> log_directory_;
};

}  // namespace vigil::server
