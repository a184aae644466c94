// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/reactor/load_samples.h"

#include <algorithm>

namespace vigil::server {

void LoadSamples::take(const Sample& sample) {
  const MutexLock lock(mutex_);
  peak_bytes_ = std::max(peak_bytes_, sample.held_bytes);
  if (last_.taken_ms == 0) {
    startup_bytes_ = sample.held_bytes;
  } else if (sample.taken_ms - last_.taken_ms < kInterval_ms) {
    return;
  } else {
    const double seconds = static_cast<double>(sample.taken_ms - last_.taken_ms) / 1000;
    const auto rate = [&](std::uint64_t now, std::uint64_t then) {
      return static_cast<double>(now - then) / seconds;
    };
    rates_ = {.requests = rate(sample.requests, last_.requests),
              .bytes_in = rate(sample.bytes_in, last_.bytes_in),
              .bytes_out = rate(sample.bytes_out, last_.bytes_out)};
  }
  last_ = sample;
}

LoadSamples::Rates LoadSamples::rates() const {
  const MutexLock lock(mutex_);
  return rates_;
}

std::uint64_t LoadSamples::peak_bytes() const {
  const MutexLock lock(mutex_);
  return peak_bytes_;
}

std::uint64_t LoadSamples::startup_bytes() const {
  const MutexLock lock(mutex_);
  return startup_bytes_;
}

}  // namespace vigil::server
