// SPDX-License-Identifier: Apache-2.0
#include "vigil/stacks/fault_guard.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <iterator>

namespace vigil::stacks {

namespace {

constexpr int kFaults[] = {SIGSEGV, SIGBUS};

[[gnu::tls_model("initial-exec")]] constinit thread_local sigjmp_buf* fault_escape = nullptr;

struct Guard {
  std::atomic<bool> is_installed = false;
  std::array<struct sigaction, std::size(kFaults)> previous{};
};
constinit Guard guard;

// What the processor raised comes again by itself when the handler returns to the instruction; what
// a program sent is sent again.
void on_fault(int signal, siginfo_t* info, void*) {
  escape_fault();
  for (std::size_t i = 0; i < std::size(kFaults); ++i) {
    if (kFaults[i] == signal) sigaction(signal, &guard.previous[i], nullptr);
  }
  if (info->si_code <= 0) syscall(SYS_tgkill, getpid(), gettid(), signal);
}

}  // namespace

bool run_guarded(void (*function)(void*), void* argument) {
  sigjmp_buf place;
  sigjmp_buf* const outer = fault_escape;
  const bool is_whole = sigsetjmp(place, 1) == 0;
  if (is_whole) {
    fault_escape = &place;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    function(argument);
  }
  std::atomic_signal_fence(std::memory_order_seq_cst);
  fault_escape = outer;
  return is_whole;
}

void escape_fault() {
  sigjmp_buf* const place = fault_escape;
  if (place != nullptr) siglongjmp(*place, 1);
}

void ensure_fault_guard() {
  if (guard.is_installed.exchange(true, std::memory_order_acq_rel)) return;
  struct sigaction action = {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < std::size(kFaults); ++i) {
    sigaction(kFaults[i], &action, &guard.previous[i]);
  }
}

void fault_guard_is_installed() { guard.is_installed.store(true, std::memory_order_release); }

}  // namespace vigil::stacks
