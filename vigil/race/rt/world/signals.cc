// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/world/signals.h"

#include <pthread.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/raw/syscall.h"
#include "vigil/race/rt/world/real_function.h"

namespace vigil::race {
namespace {

constinit Real<int (*)(int, const struct sigaction*, struct sigaction*)> real_sigaction(
    "sigaction");
constinit Real<decltype(&::pthread_sigmask)> real_sigmask("pthread_sigmask", "GLIBC_2.32");

constexpr int kSignals = 65;

// Controlled: of a task, by the program's own sending.
struct TaskSignals {
  SignalSet mask;
  SignalSet sent;
};

struct State {
  struct sigaction actions[kSignals];  // the program's
  alignas(8) char edges[kSignals][8];
  bool runtime_receives[kSignals];  // the kernel calls on_signal() for it
  // Controlled: signals that the program sent to itself, and those of other processes.
  TaskSignals of_task[kTasksMax];
  SignalSet sent_to_process;
  SignalSet from_outside;  // by the kernel's delivery, not looked at yet
  SignalSet shown_by_descriptors;
  void (*shown_by_descriptor)();  // a signal was sent that one may show
  sigval values[kSignals];        // of sigqueue()
  std::uint32_t waiting_for_signals;
  char signal_arrived;  // what threads in sigwait() wait for
};
constinit State state = {};

// Of the calling thread, by the kernel's delivery.
struct OwnSignals {
  SignalSet pending = 0;
  std::uint32_t at_once = 0;  // depth of SignalsAtOnce
  siginfo_t info[kSignals] = {};
};
thread_local constinit OwnSignals own [[gnu::tls_model("initial-exec")]];

bool is_ignored(int signal) {
  return state.actions[signal].sa_handler == SIG_IGN ||
         (state.actions[signal].sa_handler == SIG_DFL &&
          (signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH || signal == SIGCONT));
}

bool interrupts_calls(int signal) {
  return has_handler(signal) && (state.actions[signal].sa_flags & SA_RESTART) == 0;
}

bool takes_part() { return controlled_task() != kNoTask; }

TaskSignals& own_task() { return state.of_task[controlled_task()]; }

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

void run_handler(int signal, siginfo_t* info, void* context) {
  struct sigaction action = state.actions[signal];
  if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) return;
  if ((static_cast<unsigned>(action.sa_flags) & SA_RESETHAND) != 0)
    state.actions[signal].sa_handler = SIG_DFL;
  const int saved = errno;
  const std::uint32_t outer = own.at_once;
  own.at_once = 0;  // the handler comes into the runtime itself
  const RecordScope recorded;
  void* frames = frame_mark();
  acquire(state.edges[signal]);
  if ((action.sa_flags & SA_SIGINFO) != 0) {
    action.sa_sigaction(signal, info, context);
  } else {
    action.sa_handler(signal);
  }
  frame_restore(frames);
  own.at_once = outer;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  if (outer != 0) deliver_signals();
  errno = saved;
}

// Runs the handler with the mask that its action asks for.
void run_masked(int signal, siginfo_t* info) {
  ucontext_t context = {};
  if (!takes_part()) return run_handler(signal, info, &context);
  const SignalSet before = own_task().mask;
  own_task().mask |= set_of(&state.actions[signal].sa_mask) | bit_of(signal);
  run_handler(signal, info, &context);
  if (takes_part()) own_task().mask = before;
}

void on_signal(int signal, siginfo_t* info, void* context) {
  if (is_synchronous(signal, info) || own.at_once != 0 || current_thread() == nullptr) {
    return run_handler(signal, info, context);
  }
  if (controlled()) {
    __atomic_fetch_or(&state.from_outside, bit_of(signal), __ATOMIC_RELAXED);
    return outside_signal_arrived();
  }
  own.info[signal] = *info;
  const SignalSet before = __atomic_fetch_or(&own.pending, bit_of(signal), __ATOMIC_RELAXED);
  if ((before & bit_of(signal)) != 0) return;
  signal_waits();
}

// ---- crashes

constexpr int kCrashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};

bool is_crash(int signal) {
  for (const int crash : kCrashes) {
    if (crash == signal) return true;
  }
  return false;
}

void install_crash_handler(int signal) {
  struct sigaction action = {};
  action.sa_sigaction = end_by_crash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  real_sigaction(signal, &action, nullptr);
}

// Whether the task does not block what was sent to the process.
bool may_handle_sent(std::uint32_t task) {
  return (state.sent_to_process & ~state.of_task[task].mask) != 0;
}

void wake_signal_waiters() {
  if (state.waiting_for_signals != 0) wake(&state.signal_arrived, kEveryone);
}

bool deliver_sent() {
  bool interrupts = false;
  while (const int signal = take_sent_signal(~own_task().mask)) {
    interrupts |= interrupts_calls(signal);
    siginfo_t info = info_of_sent(signal);
    run_masked(signal, &info);
    if (!takes_part()) break;
  }
  return interrupts;
}

// Controlled: once the program handled the signal itself, the runtime keeps receiving it, and
// ignores it in the program's name: the kernel sees neither.
bool stays_with_the_runtime(int signal, const struct sigaction& before) {
  constexpr int kSeenByKernel = SA_RESTART | SA_NOCLDSTOP | SA_NOCLDWAIT | SA_ONSTACK | SA_NODEFER;
  const struct sigaction& now = state.actions[signal];
  if (!takes_part() || before.sa_handler == SIG_DFL || now.sa_handler == SIG_DFL) return false;
  if (!state.runtime_receives[signal]) return false;
  return ((before.sa_flags ^ now.sa_flags) & kSeenByKernel) == 0 || now.sa_handler == SIG_IGN ||
         before.sa_handler == SIG_IGN;
}

}  // namespace

bool is_signal(int number) { return number > 0 && number < kSignals; }

// ---- delivery

bool signals_pending() {
  if (__atomic_load_n(&own.pending, __ATOMIC_RELAXED) != 0) return true;
  return takes_part() && ((own_task().sent | state.sent_to_process) & ~own_task().mask) != 0;
}

bool deliver_signals() {
  if (__builtin_expect(!signals_pending(), 1)) return false;
  bool interrupts = false;
  while (const SignalSet now = __atomic_load_n(&own.pending, __ATOMIC_RELAXED)) {
    const int signal = __builtin_ctzll(now) + 1;
    siginfo_t info = own.info[signal];
    __atomic_fetch_and(&own.pending, ~bit_of(signal), __ATOMIC_RELAXED);
    signal_handled();
    interrupts |= interrupts_calls(signal);
    run_masked(signal, &info);
  }
  if (takes_part()) interrupts |= deliver_sent();
  return interrupts;
}

// First the mark, then what came before it: the other way round, a signal between the two would
// wait for the end of the call that it should end.
SignalsAtOnce::SignalsAtOnce() {
  ++own.at_once;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  deliver_signals();
}

SignalsAtOnce::~SignalsAtOnce() {
  --own.at_once;
  deliver_signals();
}

// ---- actions

int set_action(int signal, const struct sigaction* wanted, struct sigaction* before) {
  const struct sigaction old = state.actions[signal];
  if (wanted != nullptr) {
    release_merge(state.edges[signal]);
    struct sigaction installed = *wanted;
    state.actions[signal] = *wanted;
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
      state.actions[signal] = old;
      return -1;
    } else {
      state.runtime_receives[signal] = has_handler(signal);
    }
  }
  if (before != nullptr) *before = old;
  return 0;
}

bool has_handler(int signal) {
  const sighandler_t handler = state.actions[signal].sa_handler;
  return handler != SIG_DFL && handler != SIG_IGN;
}

const char* signal_edge(int signal) { return state.edges[signal]; }

// ---- sending within the process, controlled

namespace {

// Blocked, and shown by a signal descriptor: the kernel keeps it, which is what makes the
// descriptor readable.
bool kept_for_descriptor(std::uint32_t task, int signal) {
  return (state.shown_by_descriptors & state.of_task[task].mask & bit_of(signal)) != 0;
}

void keep_for_descriptor(long sent) {
  if (sent == 0) state.shown_by_descriptor();
}

}  // namespace

bool send_to_task(std::uint32_t task, int signal) {
  if (kept_for_descriptor(task, signal)) {
    keep_for_descriptor(raw_syscall(SYS_tgkill, getpid(), kernel_thread_of(task), signal));
    return true;
  }
  TaskSignals& target = state.of_task[task];
  const bool blocked = (target.mask & bit_of(signal)) != 0;
  if (!blocked && is_ignored(signal)) return true;
  if (!blocked && !has_handler(signal)) return false;
  target.sent |= bit_of(signal);
  // Also the calling task: it waits itself if a timer sends while it looks for who goes on.
  if (!blocked) interrupt(task);
  wake_signal_waiters();
  return true;
}

void set_signal_value(int signal, sigval value) {
  if (is_signal(signal)) state.values[signal] = value;
}

bool send_to_process(int signal) {
  if (kept_for_descriptor(controlled_task(), signal)) {
    keep_for_descriptor(raw_syscall(SYS_kill, getpid(), signal));
    return true;
  }
  if (is_ignored(signal)) return true;
  if ((own_task().mask & bit_of(signal)) == 0) return send_to_task(controlled_task(), signal);
  state.sent_to_process |= bit_of(signal);
  wake_signal_waiters();
  interrupt_one(may_handle_sent);
  return true;
}

namespace {

void sending(int signal) {
  release_merge(signal_edge(signal));
  if (!takes_part()) state.shown_by_descriptor();
}

}  // namespace

long kill_process(pid_t process, int signal) {
  if (!is_signal(signal)) return raw_syscall(SYS_kill, process, signal);
  sending(signal);
  const bool own_process = process == getpid();
  if (own_process && takes_part() && send_to_process(signal)) return 0;
  if (own_process) finish_before_death(signal);
  return raw_syscall(SYS_kill, process, signal);
}

long kill_kernel_thread(pid_t process, std::int32_t kernel_thread, int signal) {
  if (!is_signal(signal)) return raw_syscall(SYS_tgkill, process, kernel_thread, signal);
  sending(signal);
  if (process == getpid() && takes_part()) {
    const std::uint32_t task = task_of_kernel_thread(kernel_thread);
    if (task != kNoTask && send_to_task(task, signal)) return 0;
  }
  if (process == getpid()) finish_before_death(signal);
  return raw_syscall(SYS_tgkill, process, kernel_thread, signal);
}

void post_process_signal(int signal) {
  // As the kernel does: the main thread first, if it takes the signal.
  constexpr std::uint32_t kMain = 0;
  const bool blocked = (state.of_task[kMain].mask & bit_of(signal)) != 0;
  if (takes_part() && !blocked && !is_ignored(signal) && send_to_task(kMain, signal)) return;
  if (send_to_process(signal)) return;
  finish_before_death(signal);
  raw_syscall(SYS_kill, raw_syscall(SYS_getpid), signal);
}

void finish_before_death(int signal) {
  const bool stops =
      signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
  if (takes_part() && !stops && !is_crash(signal)) finish_process(0);
}

// ---- masks and waiting, controlled

SignalSet signal_mask() { return own_task().mask; }
void set_signal_mask(SignalSet mask) { own_task().mask = mask; }

SignalSet blocked_signals() { return (own_task().sent | state.sent_to_process) & own_task().mask; }

namespace {

// One that the kernel keeps for a signal descriptor.
int take_shown_signal(SignalSet wanted) {
  wanted &= state.shown_by_descriptors;
  if (wanted == 0) return 0;
  const timespec at_once = {};
  const long taken = raw_syscall(SYS_rt_sigtimedwait, &wanted, nullptr, &at_once, sizeof wanted);
  return taken > 0 ? static_cast<int>(taken) : 0;
}

}  // namespace

int take_sent_signal(SignalSet wanted) {
  SignalSet* const sources[] = {&own_task().sent, &state.sent_to_process};
  for (SignalSet* source : sources) {
    const SignalSet found = *source & wanted;
    if (found == 0) continue;
    const int signal = __builtin_ctzll(found) + 1;
    *source &= ~bit_of(signal);
    return signal;
  }
  return take_shown_signal(wanted);
}

siginfo_t info_of_sent(int signal) {
  siginfo_t info = {};
  info.si_signo = signal;
  info.si_code = state.values[signal].sival_ptr != nullptr ? SI_QUEUE : SI_USER;
  info.si_pid = getpid();
  info.si_uid = getuid();
  info.si_value = state.values[signal];
  state.values[signal] = {};
  return info;
}

void signals_shown_by_descriptor(SignalSet set) { state.shown_by_descriptors |= set; }

WaitMask::WaitMask(const sigset_t* set) : active_(set != nullptr && takes_part()) {
  if (!active_) return;
  before_ = signal_mask();
  set_signal_mask(set_of(set));
  interrupted_ = signals_pending();
  deliver_signals();
}

WaitMask::~WaitMask() {
  if (!active_ || !takes_part()) return;
  deliver_signals();
  set_signal_mask(before_);
}

SignalWait::SignalWait() { ++state.waiting_for_signals; }
SignalWait::~SignalWait() { --state.waiting_for_signals; }

const void* awaited_signal() { return &state.signal_arrived; }

// ---- the program's own end

void end_by_crash(int signal, siginfo_t* info, void* context) {
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

// ---- for the schedule

void take_in_outside_signals() {
  if (__builtin_expect(__atomic_load_n(&state.from_outside, __ATOMIC_RELAXED) == 0, 1)) return;
  state.sent_to_process |= __atomic_exchange_n(&state.from_outside, 0, __ATOMIC_RELAXED);
  report_note("not replayable: a signal of another process came");
  wake_signal_waiters();
  interrupt_one(may_handle_sent);
}

bool waits_for_outside_signal() { return state.waiting_for_signals != 0; }

void signals_task_created(std::uint32_t task) {
  state.of_task[task] = TaskSignals{own_task().mask, 0};
}

void signals_task_finished(std::uint32_t task) {
  state.of_task[task] = TaskSignals{~SignalSet{0}, 0};
}

void signals_init(void (*shown_by_descriptor)()) {
  state.shown_by_descriptor = shown_by_descriptor;
  for (const int signal : kCrashes) install_crash_handler(signal);
}

}  // namespace vigil::race
