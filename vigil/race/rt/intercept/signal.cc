// SPDX-License-Identifier: Apache-2.0
//
// Signals: actions, masks, sending, waiting, abort. world/signals.h says how they arrive.
#include <pthread.h>
#include <sys/signalfd.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/raw/started.h"
#include "vigil/race/rt/raw/syscall.h"
#include "vigil/race/rt/world/cancellation.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/descriptors.h"
#include "vigil/race/rt/world/real_function.h"
#include "vigil/race/rt/world/signals.h"
#include "vigil/race/rt/world/thread_handles.h"
#include "vigil/race/rt/world/virtual_time.h"
#include "vigil/race/rt/world/wait_for.h"

namespace vigil::race {
namespace {

constinit Real<int (*)(int, const struct sigaction*, struct sigaction*)> real_sigaction(
    "sigaction");
constinit Real<decltype(&::pthread_sigmask)> real_sigmask("pthread_sigmask", "GLIBC_2.32");
constinit Real<decltype(&::pthread_kill)> real_pthread_kill("pthread_kill", "GLIBC_2.34");
constinit Real<int (*)(pid_t, int, sigval)> real_sigqueue("sigqueue");
constinit Real<int (*)(pthread_t, int, sigval)> real_pthread_sigqueue("pthread_sigqueue",
                                                                      "GLIBC_2.34");
constinit Real<decltype(&::signalfd)> real_signalfd("signalfd");
constinit Real<decltype(&::sigsuspend)> real_sigsuspend("sigsuspend");
constinit Real<decltype(&::pause)> real_pause("pause");
constinit Real<decltype(&::sigpending)> real_sigpending("sigpending");
constinit Real<decltype(&::sigtimedwait)> real_sigtimedwait("sigtimedwait");

bool takes_part() { return controlled_task() != kNoTask; }

// ---- actions

sighandler_t set_handler(int signal, sighandler_t handler, int flags) {
  if (!is_signal(signal)) {
    errno = EINVAL;
    return SIG_ERR;
  }
  struct sigaction action = {};
  struct sigaction before = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  return set_action(signal, &action, &before) == 0 ? before.sa_handler : SIG_ERR;
}

}  // namespace

VIGIL_INTERCEPTOR int sigaction(int signal, const struct sigaction* wanted,
                                struct sigaction* before) noexcept {
  ensure_started();
  const FrameScope frame(VIGIL_CALLER_PC);
  if (!is_signal(signal)) return real_sigaction(signal, wanted, before);
  return set_action(signal, wanted, before);
}

VIGIL_INTERCEPTOR sighandler_t signal(int number, sighandler_t handler) noexcept {
  ensure_started();
  const FrameScope frame(VIGIL_CALLER_PC);
  return set_handler(number, handler, SA_RESTART);
}

VIGIL_INTERCEPTOR sighandler_t bsd_signal(int number, sighandler_t handler) noexcept {
  return signal(number, handler);
}

VIGIL_INTERCEPTOR sighandler_t sysv_signal(int number, sighandler_t handler) noexcept {
  ensure_started();
  const FrameScope frame(VIGIL_CALLER_PC);
  return set_handler(number, handler, static_cast<int>(SA_RESETHAND | SA_NODEFER));
}

VIGIL_INTERCEPTOR int siginterrupt(int number, int interrupts) noexcept {
  ensure_started();
  const FrameScope frame(VIGIL_CALLER_PC);
  struct sigaction action = {};
  if (!is_signal(number)) {
    errno = EINVAL;
    return -1;
  }
  set_action(number, nullptr, &action);
  action.sa_flags = interrupts != 0 ? action.sa_flags & ~SA_RESTART : action.sa_flags | SA_RESTART;
  return set_action(number, &action, nullptr);
}

// ---- signal descriptors

VIGIL_INTERCEPTOR int signalfd(int descriptor, const sigset_t* set, int flags) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  const int made = real_signalfd(descriptor, set, flags);
  if (made < 0) return made;
  signals_shown_by_descriptor(set_of(set));
  if (descriptor < 0) descriptor_opened(made, DescriptorKind::kSignal, VIGIL_CALLER_PC);
  return made;
}

// ---- masks

VIGIL_INTERCEPTOR int pthread_sigmask(int how, const sigset_t* set, sigset_t* before) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kSync, nullptr);
  const int result = real_sigmask(how, set, before);
  if (result == 0 && set != nullptr && takes_part()) {
    sigset_t now;
    real_sigmask(SIG_BLOCK, nullptr, &now);
    set_signal_mask(set_of(&now));
  }
  deliver_signals();
  return result;
}

VIGIL_INTERCEPTOR int sigprocmask(int how, const sigset_t* set, sigset_t* before) noexcept {
  const int error = pthread_sigmask(how, set, before);
  if (error == 0) return 0;
  errno = error;
  return -1;
}

VIGIL_INTERCEPTOR int sigpending(sigset_t* set) noexcept {
  const int result = real_sigpending(set);
  if (result == 0 && takes_part()) {
    *reinterpret_cast<SignalSet*>(set) |= blocked_signals();
  }
  return result;
}

// ---- sending

namespace {

int answer(long result) {
  deliver_signals();
  if (result >= 0) return 0;
  errno = static_cast<int>(-result);
  return -1;
}

// The error of sending to a thread of this process.
int send_to_thread(pthread_t thread, int signal, Address pc) {
  const FrameScope frame(pc);
  const ThreadEntry* entry = find_thread(thread);
  scheduling_point(PointKind::kSync, entry);
  const bool valid = is_signal(signal);
  if (valid) release_merge(signal_edge(signal));
  int result = 0;
  if (!valid || !takes_part() || entry == nullptr || entry->task == kNoTask ||
      entry->finished != 0 || !send_to_task(entry->task, signal)) {
    if (valid) signal_descriptors_written();
    result = real_pthread_kill(thread, signal);
  }
  deliver_signals();
  return result;
}

}  // namespace

VIGIL_INTERCEPTOR int raise(int signal) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kSync, nullptr);
  return answer(kill_kernel_thread(getpid(), gettid(), signal));
}

VIGIL_INTERCEPTOR int kill(pid_t process, int signal) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kSync, nullptr);
  return answer(kill_process(process, signal));
}

VIGIL_INTERCEPTOR int tgkill(pid_t process, pid_t thread, int signal) {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kSync, nullptr);
  return answer(kill_kernel_thread(process, thread, signal));
}

VIGIL_INTERCEPTOR int pthread_kill(pthread_t thread, int signal) noexcept {
  return send_to_thread(thread, signal, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int sigqueue(pid_t process, int signal, const sigval value) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kSync, nullptr);
  if (process != getpid() || !takes_part()) {
    if (is_signal(signal)) release_merge(signal_edge(signal));
    signal_descriptors_written();
    const int result = real_sigqueue(process, signal, value);
    deliver_signals();
    return result;
  }
  set_signal_value(signal, value);
  return answer(kill_process(process, signal));
}

VIGIL_INTERCEPTOR int pthread_sigqueue(pthread_t thread, int signal, const sigval value) noexcept {
  if (takes_part()) {
    set_signal_value(signal, value);
    return send_to_thread(thread, signal, VIGIL_CALLER_PC);
  }
  if (is_signal(signal)) release_merge(signal_edge(signal));
  return real_pthread_sigqueue(thread, signal, value);
}

// ---- waiting

namespace {

// The signal of the set that came, or -1 with errno.
int wait_controlled(SignalSet wanted, siginfo_t* info, std::uint64_t deadline_ns) {
  scheduling_point(PointKind::kSync, awaited_signal());
  int signal = 0;
  int error = 0;
  {
    const SignalWait waits;
    const auto take = [&] {
      signal = take_sent_signal(wanted);
      return signal != 0 ? 0 : EBUSY;
    };
    error = wait_for(awaited_signal(), deadline_ns, "sigwait", take, [] {
      test_cancellation();
      deliver_signals();
      return EINTR;
    });
  }
  if (signal == 0) {
    errno = error == EINTR ? EINTR : EAGAIN;
    return -1;
  }
  if (info != nullptr) {
    *info = info_of_sent(signal);
  }
  return signal;
}

int wait_for_any(const sigset_t* set, siginfo_t* info, const timespec* timeout) {
  int signal = 0;
  if (takes_part()) {
    const std::uint64_t deadline =
        timeout == nullptr ? kNever : deadline_after(nanoseconds_of(*timeout));
    signal = wait_controlled(set_of(set), info, deadline);
  } else {
    const SignalsAtOnce signals;
    signal = real_sigtimedwait(set, info, timeout);
  }
  if (signal > 0) acquire(signal_edge(signal));
  return signal;
}

// Until a handler ran.
int suspend_controlled() {
  {
    const SignalWait waits;
    while (block_on(awaited_signal(), kNever, "pause", true) != WaitResult::kInterrupted) {
    }
  }
  test_cancellation();
  deliver_signals();
  errno = EINTR;
  return -1;
}

}  // namespace

VIGIL_INTERCEPTOR int sigwait(const sigset_t* set, int* signal) {
  const FrameScope frame(VIGIL_CALLER_PC);
  int came = 0;
  do {
    came = wait_for_any(set, nullptr, nullptr);
  } while (came < 0 && errno == EINTR);
  if (came < 0) return errno;
  *signal = came;
  return 0;
}

VIGIL_INTERCEPTOR int sigwaitinfo(const sigset_t* set, siginfo_t* info) {
  const FrameScope frame(VIGIL_CALLER_PC);
  return wait_for_any(set, info, nullptr);
}

VIGIL_INTERCEPTOR int sigtimedwait(const sigset_t* set, siginfo_t* info, const timespec* timeout) {
  const FrameScope frame(VIGIL_CALLER_PC);
  return wait_for_any(set, info, timeout);
}

VIGIL_INTERCEPTOR int pause() {
  const FrameScope frame(VIGIL_CALLER_PC);
  if (takes_part()) return suspend_controlled();
  const SignalsAtOnce signals;
  return real_pause();
}

VIGIL_INTERCEPTOR int sigsuspend(const sigset_t* set) {
  const FrameScope frame(VIGIL_CALLER_PC);
  if (!takes_part()) {
    const SignalsAtOnce signals;
    return real_sigsuspend(set);
  }
  scheduling_point(PointKind::kSync, awaited_signal());
  const WaitMask mask(set);
  if (!mask.interrupted()) return suspend_controlled();
  errno = EINTR;
  return -1;
}

// ---- the program's own end

VIGIL_INTERCEPTOR void abort() noexcept {
  if (has_handler(SIGABRT)) raise(SIGABRT);
  siginfo_t info = {};
  info.si_signo = SIGABRT;
  ucontext_t context = {};
  context.uc_mcontext.gregs[REG_RIP] = static_cast<long long>(VIGIL_CALLER_PC);
  end_by_crash(SIGABRT, &info, &context);
  __builtin_trap();
}

}  // namespace vigil::race
