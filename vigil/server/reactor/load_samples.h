// SPDX-License-Identifier: Apache-2.0
//
// LoadSamples: what the server does per second and the most memory that it held, from samples about
// a second apart, which reactor 0 takes while it is awake and readers take for it while it sleeps.
//
// Thread safety: any thread.
#pragma once

#include <cstdint>

#include "vigil/base/mutex.h"

namespace vigil::server {

class LoadSamples {
 public:
  static constexpr std::int64_t kInterval_ms = 1000;

  // Between the last two samples, per second.
  struct Rates {
    double requests = 0;
    double bytes_in = 0;
    double bytes_out = 0;
  };

  // What was done since the start, and what is held now.
  struct Sample {
    std::int64_t taken_ms = 0;
    std::uint64_t requests = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t held_bytes = 0;  // by entries and indexes
  };

  // Counts for the rates if the last one that did is old enough.
  void take(const Sample& sample);

  [[nodiscard]] Rates rates() const;
  [[nodiscard]] std::uint64_t peak_bytes() const;
  [[nodiscard]] std::uint64_t startup_bytes() const;  // of the first sample

 private:
  mutable Mutex mutex_;
  Sample last_ VIGIL_GUARDED_BY(mutex_);
  Rates rates_ VIGIL_GUARDED_BY(mutex_);
  std::uint64_t peak_bytes_ VIGIL_GUARDED_BY(mutex_) = 0;
  std::uint64_t startup_bytes_ VIGIL_GUARDED_BY(mutex_) = 0;
};

}  // namespace vigil::server
