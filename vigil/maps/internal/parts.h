// SPDX-License-Identifier: Apache-2.0
//
// run_parts(): the parts of an iteration, handed out to several threads one after the other, so
// that a slow part holds up one thread only.
//
// Thread safety: work(part) is called by several threads at the same time. Exceptions: the first
// one is thrown by run_parts() when all threads have ended. A thread that cannot be started is one
// less.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "vigil/base/exceptions.h"

namespace vigil::maps::internal {

inline constexpr std::uint64_t kParts = 256;

// Calls work(n) for each n below kParts, until one call returns false or throws.
template <class Work>
void run_parts(unsigned threads, Work&& work) {
  std::atomic<std::uint64_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  const auto stop = [&] { next.store(kParts, std::memory_order_relaxed); };
  const auto run = [&] {
    const std::exception_ptr thrown = exception_of([&] {
      for (std::uint64_t part; (part = next.fetch_add(1, std::memory_order_relaxed)) < kParts;) {
        if (!work(part)) stop();
      }
    });
    if (thrown == nullptr) return;
    stop();
    const std::lock_guard guard(mutex);
    if (failure == nullptr) failure = thrown;
  };
  std::vector<std::thread> others;
  others.reserve(std::min<std::uint64_t>(threads, kParts));
  static_cast<void>(exception_of([&] {
    while (others.size() + 1 < threads && others.size() < kParts) others.emplace_back(run);
  }));
  run();
  for (std::thread& other : others) other.join();
  if (failure != nullptr) std::rethrow_exception(failure);
}

}  // namespace vigil::maps::internal
