// SPDX-License-Identifier: Apache-2.0
//
// CommitRequest: how the committer sleeps and is woken: a word that says whether anything was asked
// for. A request costs an exchange, nothing but a load if one is already waiting, and a system call
// only if the committer sleeps.
//
// Thread safety: ask() from any thread, wait() from one.
//
// Memory order: who finds its request already waiting relies on the committer to see what it
// appended. The committer takes the request (acq_rel) before it takes the buffer's lock; an append
// that came after that lock section would have seen the request taken.
#pragma once

#include <atomic>
#include <cstdint>

namespace vigil::log {

class CommitRequest {
 public:
  void ask() noexcept {
    if (word_.load(std::memory_order_acquire) == kAsked) return;
    if (word_.exchange(kAsked, std::memory_order_acq_rel) == kSleeping) wake();
  }

  // Takes the request; waits for one, at most so long. False if none came.
  bool wait(std::int64_t wait_ms) noexcept;

 private:
  static constexpr std::uint32_t kNothing = 0;
  static constexpr std::uint32_t kAsked = 1;
  static constexpr std::uint32_t kSleeping = 2;

  void wake() noexcept;

  std::atomic<std::uint32_t> word_{kNothing};
};

}  // namespace vigil::log
