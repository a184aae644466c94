// SPDX-License-Identifier: Apache-2.0
//
// AccessCheck: notices that two threads use one map at the same time; the guard of CheckedMap.
//
// One atomic word per map says who writes, or wrote last, and how many writes are done
// (access_word.h). A write makes the word active under its own id, and finds it unchanged at its
// end. A read finds it not active at its begin, and unchanged at its end; it stores nothing. So
// whenever two operations overlap, one of them writing, at least one of the two sees it: the one
// that begins later finds the word active, or the one that began first finds it changed. (Only an
// overlap shorter than the time a store takes to reach the other core escapes.) Operations that
// happen one after the other, by whatever synchronisation of the program, always see the word at
// rest: there are no false reports.
//
// Making overlaps happen. Operations last nanoseconds, and threads that run one after the other on
// a busy machine would not be seen. So some writes linger inside their operation, asleep, and
// a thread that touches the map meanwhile sees an active word and a stack that stands still. This
// is the delay injection of TSVD (Li et al., SOSP 2019), with these moments: when the writing
// thread changes, for the first handovers of a map and ever more rarely afterwards, and in a
// process with several threads at some of the first writes of a map, which readers of a map with
// one writer need. All maps together linger for at most kLingerShare of the time, and so does the
// program, even if it holds a lock meanwhile.
//
// Memory order: relaxed everywhere. The word must not order the map's accesses for a race detector
// that runs as well; compiler fences keep its accesses around those of the table, and x86 keeps
// stores in order.
//
// Inlined by force: these guards around an operation of some 30 instructions must stay in
// registers.
//
// Costs: a read is two loads and two branches, a write three loads, two stores and three branches.
//
// Thread safety: by nature.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "vigil/maps/internal/access_word.h"
#include "vigil/maps/map_misuse.h"
#include "vigil/stacks/map_mark.h"
#include "vigil/stacks/this_thread.h"

namespace vigil::maps::internal {

class AccessCheck {
 public:
  static constexpr bool kWaits = false;
  static constexpr MapSharing kSharing = MapSharing::kOneThread;
  static constexpr double kLingerShare = 0.01;

  // `label` names the map in reports and dumps.
  AccessCheck(const MapLabel& label, MisuseOptions options)
      : label_(label), options_(std::move(options)) {}
  AccessCheck(const AccessCheck&) = delete;
  AccessCheck& operator=(const AccessCheck&) = delete;

  class Read {
   public:
    [[gnu::always_inline]] Read(AccessCheck& check, MapOperation operation)
        : check_(check), operation_(operation) {
      before_ = check_.word_.load(std::memory_order_relaxed);
      if (AccessWord::active(before_)) [[unlikely]]
        before_ = check_.read_during_write(before_, operation_);
      std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    [[gnu::always_inline]] ~Read() { static_cast<void>(still_valid()); }
    Read(const Read&) = delete;
    Read& operator=(const Read&) = delete;

    // Whether nobody has written since; reports it if so, once.
    [[gnu::always_inline]] bool still_valid() const {
      std::atomic_signal_fence(std::memory_order_seq_cst);
      if (check_.word_.load(std::memory_order_relaxed) == before_) [[likely]]
        return true;
      before_ = check_.write_during_read(operation_);
      return false;
    }

   private:
    AccessCheck& check_;
    MapOperation operation_;
    mutable std::uint64_t before_;
  };

  class Write {
   public:
    [[gnu::always_inline]] Write(AccessCheck& check, MapOperation operation)
        : check_(check),
          operation_(operation),
          before_(check.word_.load(std::memory_order_relaxed)) {
      if ((before_ & (AccessWord::kActive | AccessWord::kThread)) !=
              stacks::ThisThread::id_if_known() ||
          before_ >= check.lingers_at_.load(std::memory_order_relaxed)) [[unlikely]] {
        before_ = check.begin_write_slow_path(before_, operation);
      }
      check.word_.store(AccessWord::during(before_, operation), std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    [[gnu::always_inline]] ~Write() {
      std::atomic_signal_fence(std::memory_order_seq_cst);
      const std::uint64_t during = AccessWord::during(before_, operation_);
      if (check_.word_.load(std::memory_order_relaxed) != during) [[unlikely]]
        check_.write_during_write(operation_);
      check_.word_.store(AccessWord::after(during), std::memory_order_relaxed);
    }
    Write(const Write&) = delete;
    Write& operator=(const Write&) = delete;

   private:
    AccessCheck& check_;
    MapOperation operation_;
    std::uint64_t before_;  // at rest, with this thread's id
  };

  [[nodiscard]] const MisuseOptions& options() const noexcept { return options_; }
  [[nodiscard]] std::uint64_t misuses() const noexcept {
    return misuses_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t lingers() const noexcept {
    return lingers_.load(std::memory_order_relaxed);
  }

 private:
  // Returns the word that the read goes on with.
  [[gnu::cold, gnu::noinline]] std::uint64_t read_during_write(std::uint64_t word,
                                                               MapOperation operation);
  [[gnu::cold, gnu::noinline]] std::uint64_t write_during_read(MapOperation operation);
  // Returns a word at rest with this thread's id.
  [[gnu::cold, gnu::noinline]] std::uint64_t begin_write_slow_path(std::uint64_t word,
                                                                   MapOperation operation);
  [[gnu::cold, gnu::noinline]] void write_during_write(MapOperation operation);

  void report(MapOperation operation, std::uint64_t other_word);
  std::uint64_t wait_until_idle() const noexcept;
  [[nodiscard]] bool handover_lingers() noexcept;
  [[gnu::noinline]] void linger(std::uint64_t before, MapOperation operation);

  std::atomic<std::uint64_t> word_{AccessWord::kNobody};
  // The word from which on the writer lingers although no other has written.
  std::atomic<std::uint64_t> lingers_at_{2 * AccessWord::kOneWrite};
  std::atomic<std::uint32_t> handovers_{0};
  std::atomic<std::uint32_t> next_handover_{1};  // at which a writer lingers
  std::atomic<std::uint64_t> misuses_{0};
  std::atomic<std::uint64_t> lingers_{0};
  const MapLabel& label_;
  MisuseOptions options_;
};

}  // namespace vigil::maps::internal
