// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/intercept_signal.h"

#include <pthread.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "vigil/race/rt/controlled.h"
#include "vigil/race/rt/detector.h"
#include "vigil/race/rt/init.h"
#include "vigil/race/rt/intercept_pthread_thread.h"
#include "vigil/race/rt/intercept_time.h"
#include "vigil/race/rt/raw_syscall.h"
#include "vigil/race/rt/real_function.h"
#include "vigil/race/sched/operation.h"

namespace vigil::race {
namespace {

constinit Real<int (*)(int, const struct sigaction*, struct sigaction*)> real_sigaction(
    "sigaction");
constinit Real<decltype(&::pthread_sigmask)> real_sigmask("pthread_sigmask", "GLIBC_2.32");
constinit Real<decltype(&::pthread_kill)> real_pthread_kill("pthread_kill", "GLIBC_2.34");
constinit Real<decltype(&::sigsuspend)> real_sigsuspend("sigsuspend");
constinit Real<decltype(&::pause)> real_pause("pause");
constinit Real<decltype(&::sigpending)> real_sigpending("sigpending");
constinit Real<decltype(&::sigtimedwait)> real_sigtimedwait("sigtimedwait");

constexpr int kSignals = 65;
using SignalSet = std::uint64_t;  // bit n-1: signal n

constexpr SignalSet bit_of(int signal) { return SignalSet{1} << (signal - 1); }

// The program's actions, and an address for the happens-before from setting one to its handler.
struct sigaction actions[kSignals];
char edges[kSignals][8];
bool runtime_receives[kSignals];  // the kernel calls on_signal() for it

// Of the calling thread, by the kernel's delivery.
thread_local constinit SignalSet pending [[gnu::tls_model("initial-exec")]] = 0;
thread_local constinit siginfo_t pending_info[kSignals] [[gnu::tls_model("initial-exec")]] = {};
thread_local constinit std::uint32_t at_once [[gnu::tls_model("initial-exec")]] = 0;

// Controlled: signals that the program sent to itself. Of each task, and of the process.
struct TaskSignals {
  SignalSet mask;
  SignalSet sent;
};
TaskSignals of_task[kMaxTasks];
SignalSet sent_to_process = 0;
SignalSet from_outside = 0;  // controlled: by the kernel's delivery, not looked at yet
std::uint32_t waiting_for_signals = 0;
char signal_arrived;  // what threads in sigwait() wait for

bool has_handler(int signal) {
  return actions[signal].sa_handler != SIG_DFL && actions[signal].sa_handler != SIG_IGN;
}

bool is_ignored(int signal) {
  return actions[signal].sa_handler == SIG_IGN ||
         (actions[signal].sa_handler == SIG_DFL &&
          (signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH || signal == SIGCONT));
}

bool interrupts_calls(int signal) {
  return has_handler(signal) && (actions[signal].sa_flags & SA_RESTART) == 0;
}

bool takes_part() { return controlled_task() != kNoTask; }

TaskSignals& own() { return of_task[controlled_task()]; }

// Raised by what the thread did itself.
bool is_synchronous(int signal, const siginfo_t* info) {
  switch (signal) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS:
      return info->si_code > 0;
    case SIGABRT:
      return true;
    default:
      return false;
  }
}

SignalSet set_of(const sigset_t* set) { return *reinterpret_cast<const SignalSet*>(set); }

void run_handler(int signal, siginfo_t* info, void* context) {
  struct sigaction action = actions[signal];
  if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) return;
  if ((static_cast<unsigned>(action.sa_flags) & SA_RESETHAND) != 0)
    actions[signal].sa_handler = SIG_DFL;
  const int saved = errno;
  const std::uint32_t outer = at_once;
  at_once = 0;  // the handler comes into the runtime itself
  void* frames = frame_mark();
  acquire(edges[signal]);
  if ((action.sa_flags & SA_SIGINFO) != 0) {
    action.sa_sigaction(signal, info, context);
  } else {
    action.sa_handler(signal);
  }
  frame_restore(frames);
  at_once = outer;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  if (outer != 0) deliver_signals();
  errno = saved;
}

// Runs the handler with the mask that its action asks for.
void run_masked(int signal, siginfo_t* info) {
  ucontext_t context = {};
  if (!takes_part()) return run_handler(signal, info, &context);
  const SignalSet before = own().mask;
  own().mask |= set_of(&actions[signal].sa_mask) | bit_of(signal);
  run_handler(signal, info, &context);
  if (takes_part()) own().mask = before;
}

void on_signal(int signal, siginfo_t* info, void* context) {
  if (is_synchronous(signal, info) || at_once != 0 || current_thread() == nullptr) {
    return run_handler(signal, info, context);
  }
  if (controlled()) {
    __atomic_fetch_or(&from_outside, bit_of(signal), __ATOMIC_RELAXED);
    return outside_signal_arrived();
  }
  pending_info[signal] = *info;
  const SignalSet before = __atomic_fetch_or(&pending, bit_of(signal), __ATOMIC_RELAXED);
  if ((before & bit_of(signal)) != 0) return;
  __atomic_fetch_add(&controlled_internal::attention, 1, __ATOMIC_RELAXED);
}

// ---- crashes

constexpr int kCrashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};

bool is_crash(int signal) {
  for (const int crash : kCrashes) {
    if (crash == signal) return true;
  }
  return false;
}

void on_crash(int signal, siginfo_t* info, void* context) {
  const auto* machine = static_cast<const ucontext_t*>(context);
  const auto pc = static_cast<Address>(machine->uc_mcontext.gregs[REG_RIP]);
  report_crash(signal, reinterpret_cast<Address>(info->si_addr), pc);
  controlled_stop();
  finish_process(0);
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  real_sigaction(signal, &action, nullptr);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  real_sigmask(SIG_UNBLOCK, &set, nullptr);
  raw_syscall(SYS_tgkill, raw_syscall(SYS_getpid), raw_syscall(SYS_gettid), signal);
}

void install_crash_handler(int signal) {
  struct sigaction action = {};
  action.sa_sigaction = on_crash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  real_sigaction(signal, &action, nullptr);
}

// ---- sending within the process, controlled

void wake_signal_waiters() {
  if (waiting_for_signals != 0) wake(&signal_arrived, kEveryone);
}

// True if the signal is dealt with; false if the kernel has to (its default ends the process).
bool send_to_task(std::uint32_t task, int signal) {
  TaskSignals& target = of_task[task];
  const bool blocked = (target.mask & bit_of(signal)) != 0;
  if (!blocked && is_ignored(signal)) return true;
  if (!blocked && !has_handler(signal)) return false;
  target.sent |= bit_of(signal);
  if (!blocked && task != controlled_task()) interrupt(task);
  wake_signal_waiters();
  return true;
}

// A thread that does not block it: the calling one, or one whose wait it can end, or the next that
// comes by.
bool send_to_process(int signal) {
  if (is_ignored(signal)) return true;
  if ((own().mask & bit_of(signal)) == 0) return send_to_task(controlled_task(), signal);
  sent_to_process |= bit_of(signal);
  wake_signal_waiters();
  interrupt_one([](std::uint32_t task) { return (sent_to_process & ~of_task[task].mask) != 0; });
  return true;
}

// The kernel is going to end the process by this signal.
void finish_before_death(int signal) {
  const bool stops =
      signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
  if (takes_part() && !stops && !is_crash(signal)) finish_process(0);
}

// The lowest signal that was sent to the calling task and that `wanted` contains; taken. 0: none.
int take_sent(SignalSet wanted) {
  SignalSet* const sources[] = {&own().sent, &sent_to_process};
  for (SignalSet* source : sources) {
    const SignalSet found = *source & wanted;
    if (found == 0) continue;
    const int signal = __builtin_ctzll(found) + 1;
    *source &= ~bit_of(signal);
    return signal;
  }
  return 0;
}

bool deliver_sent() {
  bool interrupts = false;
  while (const int signal = take_sent(~own().mask)) {
    interrupts |= interrupts_calls(signal);
    siginfo_t info = {};
    info.si_signo = signal;
    info.si_code = SI_USER;
    info.si_pid = getpid();
    run_masked(signal, &info);
    if (!takes_part()) break;
  }
  return interrupts;
}

}  // namespace

// ---- delivery

bool signals_pending() {
  if (__atomic_load_n(&pending, __ATOMIC_RELAXED) != 0) return true;
  return takes_part() && ((own().sent | sent_to_process) & ~own().mask) != 0;
}

bool deliver_signals() {
  if (__builtin_expect(!signals_pending(), 1)) return false;
  bool interrupts = false;
  while (const SignalSet now = __atomic_load_n(&pending, __ATOMIC_RELAXED)) {
    const int signal = __builtin_ctzll(now) + 1;
    siginfo_t info = pending_info[signal];
    __atomic_fetch_and(&pending, ~bit_of(signal), __ATOMIC_RELAXED);
    __atomic_fetch_sub(&controlled_internal::attention, 1, __ATOMIC_RELAXED);
    interrupts |= interrupts_calls(signal);
    run_masked(signal, &info);
  }
  if (takes_part()) interrupts |= deliver_sent();
  return interrupts;
}

void take_in_outside_signals() {
  if (__builtin_expect(__atomic_load_n(&from_outside, __ATOMIC_RELAXED) == 0, 1)) return;
  sent_to_process |= __atomic_exchange_n(&from_outside, 0, __ATOMIC_RELAXED);
  report_note("not replayable: a signal of another process came");
  wake_signal_waiters();
  interrupt_one([](std::uint32_t task) { return (sent_to_process & ~of_task[task].mask) != 0; });
}

bool waits_for_outside_signal() { return waiting_for_signals != 0; }

void post_process_signal(int signal) {
  if (send_to_process(signal)) return;
  finish_before_death(signal);
  raw_syscall(SYS_kill, raw_syscall(SYS_getpid), signal);
}

// First the mark, then what came before it: the other way round, a signal between the two would
// wait for the end of the call that it should end.
SignalsAtOnce::SignalsAtOnce() {
  ++at_once;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  deliver_signals();
}

SignalsAtOnce::~SignalsAtOnce() {
  --at_once;
  deliver_signals();
}

void signals_init() {
  for (const int signal : kCrashes) install_crash_handler(signal);
}

void signals_task_created(std::uint32_t task) { of_task[task] = TaskSignals{own().mask, 0}; }

void signals_task_finished(std::uint32_t task) { of_task[task] = TaskSignals{~SignalSet{0}, 0}; }

// ---- actions

namespace {

// Controlled: once the program handled the signal itself, the runtime keeps receiving it, and
// ignores it in the program's name: the kernel sees neither.
bool stays_with_the_runtime(int signal, const struct sigaction& before) {
  constexpr int kSeenByKernel = SA_RESTART | SA_NOCLDSTOP | SA_NOCLDWAIT | SA_ONSTACK | SA_NODEFER;
  const struct sigaction& now = actions[signal];
  if (!takes_part() || before.sa_handler == SIG_DFL || now.sa_handler == SIG_DFL) return false;
  if (!runtime_receives[signal]) return false;
  return ((before.sa_flags ^ now.sa_flags) & kSeenByKernel) == 0 || now.sa_handler == SIG_IGN ||
         before.sa_handler == SIG_IGN;
}

int set_action(int signal, const struct sigaction* wanted, struct sigaction* before) {
  const struct sigaction old = actions[signal];
  if (wanted != nullptr) {
    release_merge(edges[signal]);
    struct sigaction installed = *wanted;
    actions[signal] = *wanted;
    if (has_handler(signal)) {
      installed.sa_sigaction = on_signal;
      installed.sa_flags |= SA_SIGINFO;
      installed.sa_flags &= static_cast<int>(~SA_RESETHAND);
    }
    if (stays_with_the_runtime(signal, old)) {
      // Nothing to tell the kernel.
    } else if (wanted->sa_handler == SIG_DFL && is_crash(signal)) {
      install_crash_handler(signal);
    } else if (real_sigaction(signal, &installed, nullptr) != 0) {
      actions[signal] = old;
      return -1;
    } else {
      runtime_receives[signal] = has_handler(signal);
    }
  }
  if (before != nullptr) *before = old;
  return 0;
}

sighandler_t set_handler(int signal, sighandler_t handler, int flags) {
  if (signal < 1 || signal >= kSignals) {
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
  if (signal < 1 || signal >= kSignals) return real_sigaction(signal, wanted, before);
  return set_action(signal, wanted, before);
}

VIGIL_INTERCEPTOR sighandler_t signal(int number, sighandler_t handler) noexcept {
  ensure_started();
  const FrameScope frame(VIGIL_CALLER_PC);
  return set_handler(number, handler, SA_RESTART);
}

// ---- masks

VIGIL_INTERCEPTOR int pthread_sigmask(int how, const sigset_t* set, sigset_t* before) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kSync, nullptr);
  const int result = real_sigmask(how, set, before);
  if (result == 0 && set != nullptr && takes_part()) {
    sigset_t now;
    real_sigmask(SIG_BLOCK, nullptr, &now);
    own().mask = set_of(&now);
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
    *reinterpret_cast<SignalSet*>(set) |= (own().sent | sent_to_process) & own().mask;
  }
  return result;
}

// ---- sending

VIGIL_INTERCEPTOR int raise(int signal) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kSync, nullptr);
  const bool valid = signal > 0 && signal < kSignals;
  if (valid) release_merge(edges[signal]);
  long result = 0;
  if (!valid || !takes_part() || !send_to_task(controlled_task(), signal)) {
    if (valid) finish_before_death(signal);
    result = raw_syscall(SYS_tgkill, raw_syscall(SYS_getpid), raw_syscall(SYS_gettid), signal);
  }
  deliver_signals();
  if (result >= 0) return 0;
  errno = static_cast<int>(-result);
  return -1;
}

VIGIL_INTERCEPTOR int kill(pid_t process, int signal) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kSync, nullptr);
  const bool valid = signal > 0 && signal < kSignals;
  if (valid) release_merge(edges[signal]);
  long result = 0;
  if (!valid || !takes_part() || process != getpid() || !send_to_process(signal)) {
    if (valid && process == getpid()) finish_before_death(signal);
    result = raw_syscall(SYS_kill, process, signal);
  }
  deliver_signals();
  if (result >= 0) return 0;
  errno = static_cast<int>(-result);
  return -1;
}

VIGIL_INTERCEPTOR int pthread_kill(pthread_t thread, int signal) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  const ThreadEntry* entry = find_thread(thread);
  scheduling_point(PointKind::kSync, entry);
  const bool valid = signal > 0 && signal < kSignals;
  if (valid) release_merge(edges[signal]);
  int result = 0;
  if (!valid || !takes_part() || entry == nullptr || entry->task == kNoTask ||
      entry->finished != 0 || !send_to_task(entry->task, signal)) {
    result = real_pthread_kill(thread, signal);
  }
  deliver_signals();
  return result;
}

// ---- waiting

namespace {

// The signal of the set that came, or -1 with errno.
int wait_controlled(SignalSet wanted, siginfo_t* info, std::uint64_t deadline_ns) {
  scheduling_point(PointKind::kSync, &signal_arrived);
  ++waiting_for_signals;
  int signal = 0;
  for (bool late = false;;) {
    signal = take_sent(wanted);
    if (signal != 0 || late) break;
    const WaitResult result = block_on(&signal_arrived, deadline_ns, "sigwait", true);
    late = result == WaitResult::kTimedOut;
    if (result == WaitResult::kInterrupted) {
      pthread_testcancel();
      deliver_signals();
    }
  }
  --waiting_for_signals;
  if (signal == 0) {
    errno = EAGAIN;
    return -1;
  }
  if (info != nullptr) {
    *info = {};
    info->si_signo = signal;
    info->si_code = SI_USER;
    info->si_pid = getpid();
  }
  return signal;
}

int wait_for(const sigset_t* set, siginfo_t* info, const timespec* timeout) {
  int signal = 0;
  if (takes_part()) {
    const std::uint64_t deadline =
        timeout == nullptr ? kNever : deadline_after(nanoseconds_of(*timeout));
    signal = wait_controlled(set_of(set), info, deadline);
  } else {
    const SignalsAtOnce signals;
    signal = real_sigtimedwait(set, info, timeout);
  }
  if (signal > 0) acquire(edges[signal]);
  return signal;
}

// Until a handler ran.
int suspend_controlled() {
  ++waiting_for_signals;
  while (block_on(&signal_arrived, kNever, "pause", true) != WaitResult::kInterrupted) {
  }
  --waiting_for_signals;
  pthread_testcancel();
  deliver_signals();
  errno = EINTR;
  return -1;
}

}  // namespace

VIGIL_INTERCEPTOR int sigwait(const sigset_t* set, int* signal) {
  const FrameScope frame(VIGIL_CALLER_PC);
  int came = 0;
  do {
    came = wait_for(set, nullptr, nullptr);
  } while (came < 0 && errno == EINTR);
  if (came < 0) return errno;
  *signal = came;
  return 0;
}

VIGIL_INTERCEPTOR int sigwaitinfo(const sigset_t* set, siginfo_t* info) {
  const FrameScope frame(VIGIL_CALLER_PC);
  return wait_for(set, info, nullptr);
}

VIGIL_INTERCEPTOR int sigtimedwait(const sigset_t* set, siginfo_t* info, const timespec* timeout) {
  const FrameScope frame(VIGIL_CALLER_PC);
  return wait_for(set, info, timeout);
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
  scheduling_point(PointKind::kSync, &signal_arrived);
  const SignalSet before = own().mask;
  own().mask = set_of(set);
  const int result = suspend_controlled();
  own().mask = before;
  return result;
}

// ---- the program's own end

VIGIL_INTERCEPTOR void abort() noexcept {
  if (has_handler(SIGABRT)) raise(SIGABRT);
  siginfo_t info = {};
  info.si_signo = SIGABRT;
  ucontext_t context = {};
  context.uc_mcontext.gregs[REG_RIP] = static_cast<long long>(VIGIL_CALLER_PC);
  on_crash(SIGABRT, &info, &context);
  __builtin_trap();
}

}  // namespace vigil::race
