// SPDX-License-Identifier: Apache-2.0
//
// CommandStatistics: what INFO tells of every command and every error code, counted by one reactor.
//
// The time of a request is its batch's, from parsing to the last reply, divided by the batch's
// requests: no clock is read per request.
//
// Thread safety: written by its reactor only, read by anyone; the table of error codes is guarded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "vigil/base/mutex.h"
#include "vigil/server/reactor/counters.h"

namespace vigil::server {

class CommandStatistics {
 public:
  using Errors = std::map<std::string, std::uint64_t, std::less<>>;
  struct Row {
    LatencyHistogram time;  // of its requests, all of them
    Counter rejected;       // of them: refused before they were executed
    Counter failed;         // answered by an error
  };

  // For the commands with the numbers below `commands`.
  explicit CommandStatistics(std::size_t commands)
      : commands_(commands), rows_(std::make_unique<Row[]>(commands)) {}

  // Of the command with that number.
  [[nodiscard]] Row& of(std::size_t number) { return rows_[number]; }
  [[nodiscard]] const Row& of(std::size_t number) const { return rows_[number]; }

  // An error reply, whose first word is its code.
  void count_error(std::string_view reply);
  [[nodiscard]] Errors errors() const;

  // By its reactor.
  void reset();

 private:
  const std::size_t commands_;
  const std::unique_ptr<Row[]> rows_;
  mutable Mutex mutex_;
  Errors errors_ VIGIL_GUARDED_BY(mutex_);
};

}  // namespace vigil::server
