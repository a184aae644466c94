// SPDX-License-Identifier: Apache-2.0
//
// Faults: what is thrown while a connection is served, whatever its type and whichever library
// throws it. contain_faults() is the edge of a connection: a fault is counted and logged there and
// goes no further, so that it ends this connection and nothing else.
//
// The log has at most one line per second, which says how many faults had none: a peer that knows
// how to cause faults must not be able to fill a disk.
//
// Thread safety: any thread, but for set_sink(). Exceptions: none leaves.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <string_view>
#include <utility>

#include "vigil/server/reactor/counters.h"

namespace vigil::server {

// Where it happened: {"RESP connection", 12}.
struct FaultPlace {
  const char* what;
  std::uint64_t number;
};

class FaultLog {
 public:
  using Sink = std::function<void(std::string_view line)>;

  // Before the first thread starts.
  void set_sink(Sink sink) { sink_ = std::move(sink); }

  // REQUIRES: an exception is being handled.
  void report(const FaultPlace& place) noexcept;
  // A connection was ended for this reason.
  void report(const FaultPlace& place, const char* reason) noexcept;

 private:
  [[nodiscard]] bool may_write() noexcept;
  void write(const FaultPlace& place, const char* reason) noexcept;

  static constexpr std::int64_t kInterval_ns = 1'000'000'000;

  Sink sink_;
  std::atomic<std::int64_t> next_ns_{std::numeric_limits<std::int64_t>::min()};
  std::atomic<std::uint64_t> left_out_{0};
};

// Runs `work`; false if it threw.
template <class Work>
[[nodiscard]] bool contain_faults(FaultLog& log, Counter& counter, const FaultPlace& place,
                                  Work&& work) noexcept {
  try {
    std::forward<Work>(work)();
    return true;
  } catch (...) {
    counter.add(1);
    log.report(place);
    return false;
  }
}

}  // namespace vigil::server
