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
// Thread safety: one requester at a time; any number of threads answer.
#pragma once

#include <sys/types.h>
#include <ucontext.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "vigil/thread_dump/map_operation.h"

namespace vigil::thread_dump {

inline constexpr std::size_t kFramesMax = 100;

struct CapturedStack {
  std::atomic<std::uint64_t> word;  // thread << 8 | state
  std::uint32_t frame_count;
  bool has_more;    // deeper than kFramesMax
  bool is_damaged;  // unwinding met a fault or lost its way
  bool has_mark;
  MapMark mark;
  // Each inside the instruction that is running or calling, innermost first.
  std::array<std::uintptr_t, kFramesMax> addresses;

  [[nodiscard]] std::span<const std::uintptr_t> frames() const {
    return {addresses.data(), frame_count};
  }
};

// Takes over `signal`. What was not sent by request_capture() goes on to the handler before.
bool install_capture_signal(int signal);
int capture_signal();  // 0 before it is installed

// This thread's stack: from the interrupted instruction, or with nullptr from the caller.
[[gnu::noinline]] void capture_here(const ucontext_t* interrupted, CapturedStack* stack);

// Of the calling thread, without a signal.
void capture_self(CapturedStack* stack);

// Asks another thread of this process. False if it is gone, or the slot is still in use.
bool request_capture(pid_t thread, CapturedStack* stack);

// Waits until all requested slots are done or the time is up, and takes unanswered requests back.
void await_captures(std::span<CapturedStack> stacks, int limit_ms);

// Whether the slot holds the answer of `thread`.
bool is_answered(const CapturedStack& stack, pid_t thread);
void release(CapturedStack* stack);

// Runs function(argument); false if it met SIGSEGV or SIGBUS. The handler of these signals calls
// escape_fault(), which does not return if the thread is inside run_guarded().
bool run_guarded(void (*function)(void*), void* argument);
void escape_fault();

}  // namespace vigil::thread_dump
