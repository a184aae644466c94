// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/command_statistics.h"

namespace vigil::server {

void CommandStatistics::count_error(std::string_view reply) {
  const std::string_view code = reply.substr(0, reply.find_first_of(" \r\n"));
  const MutexLock lock(mutex_);
  const auto known = errors_.find(code);
  known != errors_.end() ? ++known->second : errors_[std::string(code)] = 1;
}

void CommandStatistics::reset() {
  for (std::size_t i = 0; i < commands_; ++i) {
    rows_[i].time.reset();
    rows_[i].rejected.set(0);
    rows_[i].failed.set(0);
  }
  const MutexLock lock(mutex_);
  errors_.clear();
}

CommandStatistics::Errors CommandStatistics::errors() const {
  const MutexLock lock(mutex_);
  return errors_;
}

}  // namespace vigil::server
