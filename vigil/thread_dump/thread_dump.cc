// SPDX-License-Identifier: Apache-2.0
#include "vigil/thread_dump/thread_dump.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "vigil/stacks/demangle.h"
#include "vigil/stacks/fault_guard.h"
#include "vigil/stacks/stack_capture.h"
#include "vigil/thread_dump/dump.h"

namespace vigil {

namespace thread_dump {
namespace {

enum class Traceback { kNone, kSingle, kAll, kCrash };

constexpr int kFatalSignals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
constexpr int kDumpWait_ms = 10'000;  // a dying thread waits no longer for its dump
constexpr std::size_t kSpareStackBytes = std::size_t{64} << 10;

// Bits of State::requests.
constexpr std::uint32_t kOnDemand = 1;
constexpr std::uint32_t kFatal = 2;

struct State {
  ThreadDumpOptions options;
  Traceback traceback = Traceback::kAll;
  DumpMemory* memory = nullptr;
  pid_t process = 0;  // that has the dumping thread; a forked child has none
  pid_t dumping_thread = 0;
  std::array<struct sigaction, std::size(kFatalSignals)> previous_actions{};
  std::string_view fatal_reason;

  std::atomic<bool> is_installed = false;
  std::atomic<bool> is_ready = false;            // everything above is set
  std::atomic<std::uint32_t> requests = 0;       // a futex
  std::atomic<std::uint32_t> memory_in_use = 0;  // a futex
  std::atomic<std::uint32_t> fatal_done = 0;     // a futex
  std::atomic<pid_t> fatal_thread = 0;           // the first that failed
};

constinit State state;

void futex_wait(std::atomic<std::uint32_t>* word, std::uint32_t value, const timespec* timeout) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, timeout, nullptr, 0);
}

void futex_wake(std::atomic<std::uint32_t>* word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

// Waits in steps until word != value; false when the time is up.
bool wait_while(std::atomic<std::uint32_t>* word, std::uint32_t value, int limit_ms) {
  constexpr int kStep_ms = 50;
  const timespec step = {0, kStep_ms * 1'000'000};
  for (int waited_ms = 0; waited_ms < limit_ms; waited_ms += kStep_ms) {
    if (word->load(std::memory_order_acquire) != value) return true;
    futex_wait(word, value, &step);
  }
  return word->load(std::memory_order_acquire) != value;
}

// Only one dump uses the memory. It may be in use by the very thread that was interrupted, so
// waiting has an end.
bool take_memory() {
  while (state.memory_in_use.exchange(1, std::memory_order_acquire) != 0) {
    if (!wait_while(&state.memory_in_use, 1, kDumpWait_ms / 2)) return false;
  }
  return true;
}

void release_memory() {
  state.memory_in_use.store(0, std::memory_order_release);
  futex_wake(&state.memory_in_use);
}

void dump_to(TextSink sink, std::string_view reason, pid_t fatal_thread) {
  // A process that dies takes the memory from the thread that has it.
  if (!take_memory() && fatal_thread == 0) {
    TextWriter(sink).text("vigil: no thread dump: another one does not end\n");
    return;
  }
  DumpRequest request;
  request.reason = reason;
  request.fatal_thread = fatal_thread;
  request.is_single = fatal_thread != 0 && state.traceback == Traceback::kSingle;
  request.hidden_thread = state.dumping_thread;
  request.limit_ms = state.options.limit_ms;
  Dump(state.memory, request).write(sink);
  release_memory();
}

void dump_to_descriptor(std::string_view reason, pid_t fatal_thread) {
  dump_to(descriptor_sink(&state.options.descriptor), reason, fatal_thread);
}

void serve(std::uint32_t requests) {
  if ((requests & kFatal) != 0) {
    dump_to_descriptor(state.fatal_reason, state.fatal_thread.load(std::memory_order_relaxed));
    state.fatal_done.store(1, std::memory_order_release);
    futex_wake(&state.fatal_done);
  } else if ((requests & kOnDemand) != 0) {
    dump_to_descriptor("on demand", 0);
  }
}

void* run_dumping_thread(void*) {
  for (;;) {
    const std::uint32_t requests = state.requests.exchange(0, std::memory_order_acq_rel);
    if (requests == 0) {
      futex_wait(&state.requests, 0, nullptr);
    } else {
      serve(requests);
    }
  }
}

// A forked child has no dumping thread: the caller does the work.
void request_dump(std::uint32_t request) {
  if (getpid() != state.process) {
    serve(request);
    return;
  }
  state.requests.fetch_or(request, std::memory_order_acq_rel);
  futex_wake(&state.requests);
}

void on_dump_signal(int) {
  const int saved_errno = errno;
  request_dump(kOnDemand);
  errno = saved_errno;
}

std::string_view name_of_signal(int signal) {
  switch (signal) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGILL:
      return "SIGILL";
    case SIGFPE:
      return "SIGFPE";
    default:
      return "SIGABRT";
  }
}

// Dumps because this thread failed. False if another thread failed before.
bool dump_failure(std::string_view reason, const ucontext_t* interrupted) {
  pid_t nobody = 0;
  if (!state.fatal_thread.compare_exchange_strong(nobody, gettid(), std::memory_order_acq_rel)) {
    return nobody == gettid();  // its abort() after a report
  }
  if (state.traceback == Traceback::kNone) return true;
  stacks::capture_here(interrupted, &state.memory->fatal_stack);
  state.fatal_reason = reason;
  request_dump(kFatal);
  wait_while(&state.fatal_done, 0, kDumpWait_ms);
  return true;
}

void raise_core_limit() {
  rlimit limit;
  if (getrlimit(RLIMIT_CORE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_CORE, &limit);
}

// Gives the signal to the action that was there before. What the processor raised comes again by
// itself when the handler returns to the instruction; what a program sent is sent again.
void pass_on(int signal, const siginfo_t* info) {
  if (state.traceback == Traceback::kCrash) raise_core_limit();
  for (std::size_t i = 0; i < std::size(kFatalSignals); ++i) {
    if (kFatalSignals[i] == signal) sigaction(signal, &state.previous_actions[i], nullptr);
  }
  if (info->si_code <= 0) syscall(SYS_tgkill, getpid(), gettid(), signal);
}

void on_fatal_signal(int signal, siginfo_t* info, void* context) {
  stacks::escape_fault();
  if (state.fatal_thread.load(std::memory_order_acquire) == 0) {
    TextWriter out(descriptor_sink(&state.options.descriptor));
    out.text("\nfatal error: ").text(name_of_signal(signal));
    if (info->si_code > 0) out.text(" at ").hex(reinterpret_cast<std::uintptr_t>(info->si_addr));
    out.text(" in thread ").decimal(static_cast<std::uint64_t>(gettid())).text("\n\n");
  }
  if (!dump_failure(name_of_signal(signal), static_cast<const ucontext_t*>(context))) {
    wait_while(&state.fatal_done, 0, kDumpWait_ms);  // the first one ends the process
  }
  pass_on(signal, info);
}

std::optional<Traceback> traceback_from(const char* name) {
  constexpr std::string_view kNames[] = {"none", "single", "all", "crash"};
  if (name == nullptr || *name == '\0') return Traceback::kAll;
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<Traceback>(i);
  }
  return std::nullopt;
}

// For the handler of a stack overflow of this thread.
void provide_spare_stack() {
  stack_t current;
  if (sigaltstack(nullptr, &current) == 0 && (current.ss_flags & SS_DISABLE) == 0) return;
  void* memory =
      mmap(nullptr, kSpareStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  const stack_t spare = {memory, 0, kSpareStackBytes};
  sigaltstack(&spare, nullptr);
}

bool install_handlers() {
  struct sigaction action = {};
  sigemptyset(&action.sa_mask);
  if (state.options.dump_signal != 0) {
    action.sa_handler = on_dump_signal;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    if (sigaction(state.options.dump_signal, &action, nullptr) != 0) return false;
  }
  provide_spare_stack();
  action.sa_sigaction = on_fatal_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (std::size_t i = 0; i < std::size(kFatalSignals); ++i) {
    if (sigaction(kFatalSignals[i], &action, &state.previous_actions[i]) != 0) return false;
  }
  stacks::fault_guard_is_installed();
  return true;
}

// The thread inherits a mask that keeps every signal away from it.
bool start_dumping_thread() {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  const int error = pthread_create(
      &thread, nullptr,
      [](void*) -> void* {
        state.dumping_thread = gettid();
        sigset_t faults;  // of run_guarded
        sigemptyset(&faults);
        for (const int signal : {SIGSEGV, SIGBUS}) sigaddset(&faults, signal);
        pthread_sigmask(SIG_UNBLOCK, &faults, nullptr);
        return run_dumping_thread(nullptr);
      },
      nullptr);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return false;
  pthread_setname_np(thread, "vigil-dump");
  pthread_detach(thread);
  return true;
}

// Every mangled name in the text gets its readable form.
std::string with_readable_names(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t begin = std::min(text.find(" _Z"), text.size());
    out.append(text.substr(0, begin));
    text.remove_prefix(begin);
    if (text.empty()) break;
    const std::string_view mangled = text.substr(1, text.find('+') - 1);
    out.append(" ").append(stacks::demangled(mangled));
    text.remove_prefix(1 + mangled.size());
  }
  return out;
}

}  // namespace

void fatal_map_report(const FatalMapReport& report) {
  const MapMark inside(report.map, report.operation);
  if (state.fatal_thread.load(std::memory_order_acquire) == 0) {
    const int descriptor = state.is_ready ? state.options.descriptor : STDERR_FILENO;
    TextWriter out(descriptor_sink(&descriptor));
    out.text("\nfatal error: ").text(report.message).text("\n  ");
    write_map({report.operation, report.map.name(), report.map.type(), report.map.map()}, &out);
    out.text(" in thread ").decimal(static_cast<std::uint64_t>(gettid()));
    if (report.other_thread != 0) {
      out.text(", also inside: thread ").decimal(static_cast<std::uint64_t>(report.other_thread));
    }
    out.text("\n\n");
  }
  if (state.is_ready.load(std::memory_order_acquire) && !dump_failure(report.message, nullptr)) {
    wait_while(&state.fatal_done, 0, kDumpWait_ms);
  }
  std::abort();
}

}  // namespace thread_dump

Result<void> install_thread_dump(const ThreadDumpOptions& options) {
  using thread_dump::state;
  const char* const wish = std::getenv("VIGIL_TRACEBACK");
  const std::optional<thread_dump::Traceback> traceback = thread_dump::traceback_from(wish);
  if (!traceback) {
    return Error{"VIGIL_TRACEBACK is \"" + std::string(wish) +
                 "\"; it may be none, single, all or crash"};
  }
  if (state.is_installed.exchange(true)) return Error{"the thread dump is installed already"};
  // Never unmapped: an answer may come after the last dump.
  void* const memory = mmap(nullptr, sizeof(thread_dump::DumpMemory), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return Error{"no memory for thread dumps"};
  state.options = options;
  state.traceback = *traceback;
  state.memory = static_cast<thread_dump::DumpMemory*>(memory);
  state.process = getpid();
  if (!stacks::install_capture_signal(options.capture_signal) ||
      !thread_dump::start_dumping_thread() || !thread_dump::install_handlers()) {
    return Error{std::string("cannot install the thread dump: ") + std::strerror(errno)};
  }
  state.is_ready.store(true, std::memory_order_release);
  return {};
}

void write_thread_dump(int descriptor, std::string_view reason) {
  using namespace thread_dump;
  if (!state.is_ready.load(std::memory_order_acquire)) return;
  const int saved_errno = errno;
  dump_to(descriptor_sink(&descriptor), reason, 0);
  errno = saved_errno;
}

std::string thread_dump_text(std::string_view reason) {
  using namespace thread_dump;
  if (!state.is_ready.load(std::memory_order_acquire)) return "";
  std::string text;
  const TextSink sink = {[](void* argument, std::string_view part) {
                           static_cast<std::string*>(argument)->append(part);
                         },
                         &text};
  dump_to(sink, reason, 0);
  return with_readable_names(text);
}

}  // namespace vigil
