// SPDX-License-Identifier: Apache-2.0
#include "vigil/maps/internal/access_check.h"

#include <sys/single_threaded.h>
#include <time.h>

#include <algorithm>

#include "vigil/base/check.h"
#include "vigil/base/clock.h"
#include "vigil/base/spin_lock.h"
#include "vigil/maps/internal/misuse_report.h"

namespace vigil::maps::internal {

using stacks::ThisThread;

namespace {

constexpr std::int64_t kLinger_ns = 200'000;
// How long the thread that comes second waits for the first to leave, where reports do not abort.
constexpr std::int64_t kWaitForIdle_ns = 10'000'000;

// What all maps of the process may spend on lingering, as a leaky bucket.
class LingerBudget {
 public:
  // Takes the time of one lingering; `part` of the burst is all that may be used up for it.
  bool take(double part) noexcept {
    const std::int64_t now = monotonic_ns();
    std::int64_t paid_until = paid_until_ns_.load(std::memory_order_relaxed);
    for (;;) {
      if (paid_until - now > static_cast<std::int64_t>(part * kBurst_ns)) return false;
      const std::int64_t after = std::max(paid_until, now) + kPrice_ns;
      if (paid_until_ns_.compare_exchange_weak(paid_until, after, std::memory_order_relaxed)) {
        return true;
      }
    }
  }

 private:
  static constexpr std::int64_t kPrice_ns =
      static_cast<std::int64_t>(kLinger_ns / AccessCheck::kLingerShare);
  static constexpr std::int64_t kBurst_ns = 100 * kPrice_ns;  // 20 ms of lingering
  std::atomic<std::int64_t> paid_until_ns_{0};
};

constinit LingerBudget linger_budget;

}  // namespace

std::uint64_t AccessCheck::read_during_write(std::uint64_t word, MapOperation operation) {
  VIGIL_CHECK(
      AccessWord::thread(word) != ThisThread::id(),
      "an operation of a map called back into the same map, from a callback or a signal handler");
  report(operation, word);
  return wait_until_idle();
}

std::uint64_t AccessCheck::write_during_read(MapOperation operation) {
  const std::uint64_t word = word_.load(std::memory_order_relaxed);
  VIGIL_CHECK(AccessWord::thread(word) != ThisThread::id(),
              "a read of a map called back into the same map and changed it");
  report(operation, word);
  return word_.load(std::memory_order_relaxed);
}

std::uint64_t AccessCheck::begin_write_slow_path(std::uint64_t word, MapOperation operation) {
  const auto me = static_cast<std::uint64_t>(ThisThread::id());
  if (AccessWord::active(word)) {
    word = read_during_write(word, operation);
    return AccessWord::at_rest(AccessWord::writes(word), me);
  }
  const std::uint64_t writes = AccessWord::writes(word);
  const std::uint64_t last = word & AccessWord::kThread;
  bool lingers = false;
  if (last != me && last != AccessWord::kNobody) {
    lingers = handover_lingers() && linger_budget.take(1.0);
  } else if (word >= lingers_at_.load(std::memory_order_relaxed)) {
    lingers_at_.store(AccessWord::at_rest(writes + writes / 2 + 1, 0), std::memory_order_relaxed);
    lingers = __libc_single_threaded == 0 && linger_budget.take(0.5);
  }
  const std::uint64_t mine = AccessWord::at_rest(writes, me);
  if (lingers) linger(mine, operation);
  return mine;
}

void AccessCheck::write_during_write(MapOperation operation) {
  const std::uint64_t word = word_.load(std::memory_order_relaxed);
  VIGIL_CHECK(
      AccessWord::thread(word) != ThisThread::id(),
      "a write of a map called back into the same map, from a callback or a signal handler");
  report(operation, word);
}

void AccessCheck::report(MapOperation operation, std::uint64_t other_word) {
  const MapMark inside(label_, operation);
  const std::uint64_t earlier = misuses_.fetch_add(1, std::memory_order_relaxed);
  report_misuse({.map = label_.map(),
                 .options = options_,
                 .operation = operation,
                 .other_word = other_word,
                 .earlier_reports = earlier},
                [this] { return word_.load(std::memory_order_relaxed); });
}

std::uint64_t AccessCheck::wait_until_idle() const noexcept {
  const std::int64_t deadline_ns = monotonic_ns() + kWaitForIdle_ns;
  const auto me = ThisThread::id();
  Backoff backoff;
  for (;;) {
    const std::uint64_t word = word_.load(std::memory_order_relaxed);
    if (!AccessWord::active(word) || AccessWord::thread(word) == me || monotonic_ns() > deadline_ns)
      return word;
    backoff.pause();
  }
}

// At the first eight handovers, then at intervals that grow by an eighth of their number.
bool AccessCheck::handover_lingers() noexcept {
  const std::uint32_t number = handovers_.load(std::memory_order_relaxed) + 1;
  handovers_.store(number, std::memory_order_relaxed);
  if (number < next_handover_.load(std::memory_order_relaxed)) return false;
  next_handover_.store(number + 1 + number / 8, std::memory_order_relaxed);
  return true;
}

void AccessCheck::linger(std::uint64_t before, MapOperation operation) {
  const MapMark inside(label_, operation);
  const std::uint64_t during = AccessWord::during(before, operation);
  word_.store(during, std::memory_order_relaxed);
  lingers_.fetch_add(1, std::memory_order_relaxed);
  const timespec duration = {0, kLinger_ns};
  nanosleep(&duration, nullptr);
  const std::uint64_t word = word_.load(std::memory_order_relaxed);
  if (word == during) return;
  report(operation, word);
  wait_until_idle();
}

}  // namespace vigil::maps::internal
