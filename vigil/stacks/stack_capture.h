// SPDX-License-Identifier: Apache-2.0
//
// Capturing the stacks of other threads: each gets a signal and writes its own stack into a slot
// that was allocated before.
//
// Unwinding uses the compiler's tables (_Unwind_Backtrace), because neither libc nor most programs
// keep frame pointers. From gcc 12 and glibc 2.35 on it finds the tables through _dl_find_object,
// which is lock-free and safe in signal handlers; before, it took the loader's lock. It reads
// memory without checks: a damaged stack makes it fault, and the fault ends the capture of that
// stack (run_guarded), not the program.
//
// A slot's word holds the thread and the state in one, so that an answer that comes too late can
// never be taken for another thread's:
//
//   idle -> requested -> capturing -> done -> idle     and   requested -> idle when time is up
//
// Context: signal, except install_capture_signal().
// Thread safety: any number of threads ask, each with slots of its own, and any number answer.
#pragma once

#include <sys/types.h>
#include <ucontext.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "vigil/stacks/map_mark.h"

namespace vigil::stacks {

inline constexpr std::size_t kFramesMax = 100;

// Of a thread's innermost MapMark. The texts are copied: the map may be gone when they are printed.
struct CapturedMark {
  MapOperation operation;  // kNone: outside all maps
  MapSharing sharing;
  const void* map;
  std::array<char, 64> name;   // cut if longer
  std::array<char, 192> type;  // cut if longer
};

struct CapturedStack {
  std::atomic<std::uint64_t> word;  // thread << 8 | state
  std::uint32_t frame_count;
  bool has_more;    // deeper than kFramesMax
  bool is_damaged;  // unwinding met a fault or lost its way
  CapturedMark mark;
  // Each inside the instruction that is running or calling, innermost first.
  std::array<std::uintptr_t, kFramesMax> addresses;

  [[nodiscard]] std::span<const std::uintptr_t> frames() const {
    return {addresses.data(), frame_count};
  }
};

// Lets `signal` ask for captures from here on. What was not sent by request_capture() goes on to
// the handler before.
bool install_capture_signal(int signal);
// The signal installed last; 0 before that.
int capture_signal();
// Installs SIGURG, which programs ignore by default (Go uses it for the same purpose), and a guard
// for faults, unless a signal is installed.
bool ensure_capture_signal();

// This thread's stack: from the interrupted instruction, or with nullptr from the caller.
[[gnu::noinline]] void capture_here(const ucontext_t* interrupted, CapturedStack* stack);

// Of the calling thread, without a signal.
void capture_self(CapturedStack* stack);

enum class CaptureRequest : std::uint8_t {
  kSent,
  kThreadIsGone,
  kSlotIsBusy,  // a thread that was asked before is answering late
  kRefused,     // by the kernel
};
// Asks another thread of this process.
CaptureRequest request_capture(pid_t thread, CapturedStack* stack);

// Waits until all requested slots are done or the time is up, and takes unanswered requests back.
void await_captures(std::span<CapturedStack> stacks, int limit_ms);

// Whether the slot holds the answer of `thread`.
bool is_answered(const CapturedStack& stack, pid_t thread);
void release(CapturedStack* stack);

}  // namespace vigil::stacks
