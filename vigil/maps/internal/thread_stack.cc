// SPDX-License-Identifier: Apache-2.0
#include "vigil/maps/internal/thread_stack.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include <atomic>
#include <cerrno>

#include "vigil/base/clock.h"

namespace vigil::maps::internal {
namespace {

enum State : std::uint32_t { kIdle, kAsked, kAnswering, kAnswered };

// The one request of the process. `state` hands `stack` from the asked thread to the asker: the
// release of kAnswered pairs with the acquire in wait_for_answer().
struct Request {
  std::atomic<std::uint32_t> state{kIdle};
  std::atomic<pid_t> thread{0};
  ThreadStack stack;
};
constinit Request request;
constinit struct sigaction previous_action = {};

struct Unwinding {
  ThreadStack& stack;
  std::uintptr_t from;  // leave out the frames before this address; 0: none
};

_Unwind_Reason_Code note_frame(_Unwind_Context* context, void* argument) {
  auto& unwinding = *static_cast<Unwinding*>(argument);
  int before_instruction = 0;
  const std::uintptr_t address = _Unwind_GetIPInfo(context, &before_instruction);
  if (address == 0) return _URC_END_OF_STACK;
  if (unwinding.from != 0) {
    if (address != unwinding.from) return _URC_NO_REASON;
    unwinding.from = 0;
  }
  // A return address lies behind its call; an interrupted instruction is itself meant.
  unwinding.stack.push(before_instruction != 0 ? address : address - 1);
  return unwinding.stack.frames().size() < ThreadStack::kFramesMax ? _URC_NO_REASON
                                                                   : _URC_END_OF_STACK;
}

long futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value,
           const timespec* timeout) noexcept {
  return syscall(SYS_futex, &word, operation, value, timeout, nullptr, 0);
}

// Context: signal.
void answer(int signal, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  std::uint32_t asked = kAsked;
  if (request.thread.load(std::memory_order_relaxed) == ThisThread::id() &&
      request.state.compare_exchange_strong(asked, kAnswering, std::memory_order_acquire)) {
    const auto* interrupted = static_cast<const ucontext_t*>(context);
    request.stack.clear();
    Unwinding unwinding{request.stack,
                        static_cast<std::uintptr_t>(interrupted->uc_mcontext.gregs[REG_RIP])};
    _Unwind_Backtrace(note_frame, &unwinding);
    request.state.store(kAnswered, std::memory_order_release);
    futex(request.state, FUTEX_WAKE_PRIVATE, 1, nullptr);
  } else if ((previous_action.sa_flags & SA_SIGINFO) != 0) {
    previous_action.sa_sigaction(signal, info, context);
  } else if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN) {
    previous_action.sa_handler(signal);
  }
  errno = saved_errno;
}

bool install_handler() noexcept {
  struct sigaction action = {};
  action.sa_sigaction = answer;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  sigfillset(&action.sa_mask);
  return sigaction(SIGURG, &action, &previous_action) == 0;
}

// Whether the answer came; if not, nobody will write to the request any more.
bool wait_for_answer() noexcept {
  const std::int64_t deadline_ns = monotonic_ns() + ThreadStack::kPatience_ms * 1'000'000;
  for (;;) {
    const std::uint32_t state = request.state.load(std::memory_order_acquire);
    if (state == kAnswered) return true;
    const std::int64_t left_ns = deadline_ns - monotonic_ns();
    if (left_ns <= 0) {
      std::uint32_t asked = kAsked;
      if (request.state.compare_exchange_strong(asked, kIdle, std::memory_order_acquire)) {
        return false;
      }
      // It is writing: unwinding is bounded by kFramesMax.
    }
    const timespec timeout = {0, left_ns > 0 ? static_cast<long>(left_ns) : 1'000'000};
    futex(request.state, FUTEX_WAIT_PRIVATE, state, &timeout);
  }
}

}  // namespace

void ThreadStack::take_own() noexcept {
  clear();
  Unwinding unwinding{*this, 0};
  _Unwind_Backtrace(note_frame, &unwinding);
}

ThreadStack::Answer ThreadStack::take_of(pid_t thread) noexcept {
  clear();
  static const bool installed = install_handler();
  if (!installed) return Answer::kSilent;
  request.thread.store(thread, std::memory_order_relaxed);
  request.state.store(kAsked, std::memory_order_release);
  if (syscall(SYS_tgkill, getpid(), thread, SIGURG) != 0) {
    request.state.store(kIdle, std::memory_order_relaxed);
    return errno == ESRCH ? Answer::kEnded : Answer::kSilent;
  }
  if (!wait_for_answer()) return Answer::kSilent;
  *this = request.stack;
  request.state.store(kIdle, std::memory_order_relaxed);
  return Answer::kTaken;
}

void ThisThread::ask_kernel() noexcept {
  // A child process has other threads than its parent.
  static const int registered =
      pthread_atfork(nullptr, nullptr, [] { id_ = static_cast<pid_t>(syscall(SYS_gettid)); });
  static_cast<void>(registered);
  id_ = static_cast<pid_t>(syscall(SYS_gettid));
}

}  // namespace vigil::maps::internal
