// SPDX-License-Identifier: Apache-2.0
//
// BufferBudget: one bound over the buffers of all connections: requests that are not finished,
// answers that were not sent, replies that are held back, what subscribers have not read.
//
// A connection books the memory that its buffers have, used or not, whenever it was served. A
// reactor that finds the budget exceeded lets go of what idle connections keep, and then has the
// connection closed that holds most, by the reactor that has it. So the buffers stay below the
// limit but for what one read and its replies add before the connection is looked at.
//
// Thread safety: any thread. Memory order is relaxed: the counts order nothing.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace vigil::server {

class BufferBudget {
 public:
  BufferBudget(std::uint64_t limit_bytes, std::uint32_t reactors)
      : limit_bytes_(limit_bytes),
        reactors_(reactors),
        largest_(std::make_unique<std::atomic<std::uint64_t>[]>(reactors)) {}

  // A connection had `before` bytes and has `now`.
  void book(std::uint64_t before, std::uint64_t now) {
    used_.fetch_add(now - before, std::memory_order_relaxed);
  }

  [[nodiscard]] std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t limit() const { return limit_bytes_; }
  [[nodiscard]] bool exceeded() const { return limit_bytes_ != 0 && used() > limit_bytes_; }

  // What the largest connection of a reactor has, as far as the reactor knows; 0: it does not.
  void set_largest(std::uint32_t reactor, std::uint64_t bytes) {
    largest_[reactor].store(bytes, std::memory_order_relaxed);
  }
  void raise_largest(std::uint32_t reactor, std::uint64_t bytes) {
    if (bytes > largest_[reactor].load(std::memory_order_relaxed)) set_largest(reactor, bytes);
  }
  [[nodiscard]] std::uint32_t reactor_of_largest() const {
    std::uint32_t found = 0;
    for (std::uint32_t i = 1; i < reactors_; ++i) {
      if (largest_[i].load(std::memory_order_relaxed) >
          largest_[found].load(std::memory_order_relaxed)) {
        found = i;
      }
    }
    return found;
  }

 private:
  const std::uint64_t limit_bytes_;  // 0: none
  const std::uint32_t reactors_;
  std::atomic<std::uint64_t> used_{0};
  std::unique_ptr<std::atomic<std::uint64_t>[]> largest_;  // written by its reactor
};

}  // namespace vigil::server
