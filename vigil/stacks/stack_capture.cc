// SPDX-License-Identifier: Apache-2.0
#include "vigil/stacks/stack_capture.h"

#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <unwind.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "vigil/base/mutex.h"
#include "vigil/stacks/fault_guard.h"

namespace vigil::stacks {

namespace {

enum State : std::uint64_t { kIdle, kRequested, kCapturing, kDone };

constexpr int kSignalsMax = 64;

struct Installation {
  Mutex changing;
  std::atomic<int> signal = 0;                               // 0: none
  std::array<bool, kSignalsMax + 1> is_taken{};              // by signal; never given back
  std::array<struct sigaction, kSignalsMax + 1> previous{};  // of those
};
constinit Installation installation;
constinit std::atomic<std::uint32_t> answers = 0;  // a futex: counts finished captures

std::uint64_t word_of(pid_t thread, State state) {
  return static_cast<std::uint64_t>(thread) << 8 | state;
}

pid_t this_thread() { return static_cast<pid_t>(syscall(SYS_gettid)); }

long futex(std::atomic<std::uint32_t>* word, int operation, std::uint32_t value,
           const timespec* timeout) {
  return syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, timeout, nullptr, 0);
}

struct Walk {
  CapturedStack* stack;
  std::uintptr_t start;  // frames before this one belong to the capture itself
  bool has_started;
};

_Unwind_Reason_Code on_frame(_Unwind_Context* context, void* argument) {
  auto* walk = static_cast<Walk*>(argument);
  CapturedStack* stack = walk->stack;
  int is_interrupted = 0;
  const std::uintptr_t address = _Unwind_GetIPInfo(context, &is_interrupted);
  if (address == 0) return _URC_END_OF_STACK;
  if (address == walk->start) walk->has_started = true;
  if (!walk->has_started) return _URC_NO_REASON;
  if (stack->frame_count == kFramesMax) {
    stack->has_more = true;
    return _URC_END_OF_STACK;
  }
  stack->addresses[stack->frame_count++] = is_interrupted != 0 ? address : address - 1;
  return _URC_NO_REASON;
}

// Cut where it is too long, and ended by a zero.
template <std::size_t kSize>
void copy_text(std::string_view text, std::array<char, kSize>* out) {
  text = text.substr(0, kSize - 1);
  *std::copy(text.begin(), text.end(), out->begin()) = '\0';
}

void copy_mark(const MapMark* mark, CapturedMark* out) {
  out->operation = mark == nullptr ? MapOperation::kNone : mark->operation();
  if (mark == nullptr) return;
  out->sharing = mark->label().sharing();
  out->map = mark->label().map();
  copy_text(mark->label().name(), &out->name);
  copy_text(mark->label().type(), &out->type);
}

void walk_stack(void* argument) { _Unwind_Backtrace(on_frame, argument); }

void answer(CapturedStack* stack, const ucontext_t* interrupted) {
  const pid_t thread = this_thread();
  std::uint64_t expected = word_of(thread, kRequested);
  // acquire and release: the requester owns the slot before and after.
  if (!stack->word.compare_exchange_strong(expected, word_of(thread, kCapturing),
                                           std::memory_order_acq_rel)) {
    return;
  }
  capture_here(interrupted, stack);
  stack->word.store(word_of(thread, kDone), std::memory_order_release);
  answers.fetch_add(1, std::memory_order_release);
  futex(&answers, FUTEX_WAKE, INT_MAX, nullptr);
}

void forward(int signal, siginfo_t* info, void* context) {
  const struct sigaction& previous_action = installation.previous[static_cast<std::size_t>(signal)];
  if ((previous_action.sa_flags & SA_SIGINFO) != 0) {
    previous_action.sa_sigaction(signal, info, context);
  } else if (previous_action.sa_handler != SIG_IGN && previous_action.sa_handler != SIG_DFL) {
    previous_action.sa_handler(signal);
  }
}

void on_capture_signal(int signal, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  if (info->si_code == SI_QUEUE && info->si_pid == getpid() && info->si_value.sival_ptr) {
    answer(static_cast<CapturedStack*>(info->si_value.sival_ptr),
           static_cast<const ucontext_t*>(context));
  } else {
    forward(signal, info, context);
  }
  errno = saved_errno;
}

bool is_pending(const CapturedStack& stack) {
  const std::uint64_t state = stack.word.load(std::memory_order_acquire) & 0xff;
  return state == kRequested || state == kCapturing;
}

bool any_pending(std::span<CapturedStack> stacks) {
  for (const CapturedStack& stack : stacks) {
    if (is_pending(stack)) return true;
  }
  return false;
}

std::int64_t monotonic_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

bool install_capture_signal(int signal) {
  if (signal < 1 || signal > kSignalsMax) {
    errno = EINVAL;
    return false;
  }
  const auto index = static_cast<std::size_t>(signal);
  const MutexLock lock(installation.changing);
  if (!installation.is_taken[index]) {
    struct sigaction action = {};
    action.sa_sigaction = on_capture_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    sigfillset(&action.sa_mask);
    // Faults while unwinding must reach their handler.
    for (const int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) {
      sigdelset(&action.sa_mask, fault);
    }
    if (sigaction(signal, &action, &installation.previous[index]) != 0) return false;
    installation.is_taken[index] = true;
  }
  installation.signal.store(signal, std::memory_order_release);
  // The unwinder's own first-time work happens now, not in a handler.
  CapturedStack warm_up = {};
  capture_here(nullptr, &warm_up);
  return true;
}

int capture_signal() { return installation.signal.load(std::memory_order_acquire); }

bool ensure_capture_signal() {
  ensure_fault_guard();
  return capture_signal() != 0 || install_capture_signal(SIGURG);
}

void capture_here(const ucontext_t* interrupted, CapturedStack* stack) {
  stack->frame_count = 0;
  stack->has_more = false;
  stack->is_damaged = false;
  copy_mark(MapMark::current(), &stack->mark);
  const std::uintptr_t start =
      interrupted == nullptr ? reinterpret_cast<std::uintptr_t>(__builtin_return_address(0))
                             : static_cast<std::uintptr_t>(interrupted->uc_mcontext.gregs[REG_RIP]);
  Walk walk{stack, start, false};
  stack->is_damaged = !run_guarded(walk_stack, &walk);
  if (stack->frame_count == 0) {
    stack->addresses[stack->frame_count++] = start;
    stack->is_damaged = true;
  }
}

void capture_self(CapturedStack* stack) {
  capture_here(nullptr, stack);
  stack->word.store(word_of(this_thread(), kDone), std::memory_order_release);
}

CaptureRequest request_capture(pid_t thread, CapturedStack* stack) {
  if (is_pending(*stack)) return CaptureRequest::kSlotIsBusy;
  // release: the slot's fields are the answering thread's from here on.
  stack->word.store(word_of(thread, kRequested), std::memory_order_release);
  siginfo_t info = {};
  info.si_signo = capture_signal();
  info.si_code = SI_QUEUE;
  info.si_pid = getpid();
  info.si_uid = getuid();
  info.si_value.sival_ptr = stack;
  const long sent = syscall(SYS_rt_tgsigqueueinfo, getpid(), thread, info.si_signo, &info);
  if (sent == 0) return CaptureRequest::kSent;
  const bool is_gone = errno == ESRCH;
  stack->word.store(kIdle, std::memory_order_relaxed);
  return is_gone ? CaptureRequest::kThreadIsGone : CaptureRequest::kRefused;
}

void await_captures(std::span<CapturedStack> stacks, int limit_ms) {
  const std::int64_t deadline_ns = monotonic_ns() + limit_ms * std::int64_t{1'000'000};
  for (;;) {
    const std::uint32_t seen = answers.load(std::memory_order_acquire);
    if (!any_pending(stacks)) return;
    const std::int64_t left_ns = deadline_ns - monotonic_ns();
    if (left_ns <= 0) break;
    const timespec timeout = {left_ns / 1'000'000'000, left_ns % 1'000'000'000};
    futex(&answers, FUTEX_WAIT, seen, &timeout);
  }
  for (CapturedStack& stack : stacks) {
    std::uint64_t word = stack.word.load(std::memory_order_relaxed);
    if ((word & 0xff) == kRequested) {
      stack.word.compare_exchange_strong(word, kIdle, std::memory_order_acq_rel);
    }
  }
}

bool is_answered(const CapturedStack& stack, pid_t thread) {
  return stack.word.load(std::memory_order_acquire) == word_of(thread, kDone);
}

void release(CapturedStack* stack) {
  if (!is_pending(*stack)) stack->word.store(kIdle, std::memory_order_relaxed);
}

}  // namespace vigil::stacks
