// SPDX-License-Identifier: Apache-2.0
//
// MemoryBudget: how much memory a cache may take, and how much it has taken. Whoever takes pages
// from the system asks here first.
//
// A part of the limit is a reserve: what makes room, or must not fail for want of it, may use it
// (the tombstone of a deletion, an index that shrinks); what grows the cache may not. So a cache
// that is full can always be emptied.
//
// Thread safety: all members from any thread. The counts are exact; memory order is relaxed, for
// they order nothing.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace vigil::cache {

// Why memory is asked for.
enum class Need : std::uint8_t {
  kGrowth,  // refused beyond the limit less the reserve
  kRelief,  // refused beyond the limit
};

class MemoryBudget {
 public:
  explicit MemoryBudget(std::uint64_t limit_bytes) : limit_(limit_bytes) {}
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  // A 256th of the limit, at least 256 KiB, at most an eighth.
  [[nodiscard]] static constexpr std::uint64_t reserve_of(std::uint64_t limit_bytes) {
    constexpr std::uint64_t kLeastBytes = 256U * 1024;
    return std::min(std::max(limit_bytes / 256, kLeastBytes), limit_bytes / 8);
  }

  [[nodiscard]] bool take(std::uint64_t bytes, Need need) {
    std::uint64_t used = used_.load(std::memory_order_relaxed);
    do {
      if (used + bytes > limit_for(need)) return false;
    } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
    return true;
  }
  // For what cannot be refused; the next growth is.
  void take_anyway(std::uint64_t bytes) { used_.fetch_add(bytes, std::memory_order_relaxed); }
  void give_back(std::uint64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

  [[nodiscard]] std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t limit() const { return limit_.load(std::memory_order_relaxed); }
  // A limit below what is used takes nothing away; growth is refused until there is room again.
  void set_limit(std::uint64_t bytes) { limit_.store(bytes, std::memory_order_relaxed); }

 private:
  [[nodiscard]] std::uint64_t limit_for(Need need) const {
    const std::uint64_t all = limit();
    return need == Need::kRelief ? all : all - reserve_of(all);
  }

  std::atomic<std::uint64_t> limit_;
  std::atomic<std::uint64_t> used_{0};
};

}  // namespace vigil::cache
