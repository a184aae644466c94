// SPDX-License-Identifier: Apache-2.0
//
// Thread dumps: what every thread of this process is doing, on demand or before it dies.
//
// A dump shows each thread's id, name, state, map operation (vigil/stacks/map_mark.h) and stack.
// docs/thread-dump.md describes the text; `vigil triage` reads it.
//
// VIGIL_TRACEBACK in the environment says what a fatal error prints (SIGSEGV, SIGBUS, SIGILL,
// SIGFPE, SIGABRT, a fatal map report):
//   none     one line
//   single   the stack of the thread that failed
//   all      the stacks of all threads; the default
//   crash    as all, and the limit for core files is raised so that a core is left
// Then the signal goes on to the handler that was there before, or ends the process.
//
// Use when: a server hangs or dies where no debugger may attach. Use instead: `vigil triage PID`,
// which needs the right to trace the process and nothing inside it.
//
// What is promised: a dump allocates nothing and takes no lock, so it works whatever the threads
// were doing, malloc included. It ends in bounded time: a thread that does not answer within
// `limit_ms` is listed with what the kernel knows about it. Threads that run are not stopped longer
// than their own unwinding takes; a blocking system call may return EINTR, as after any signal.
// Limits: 4,096 threads, 100 frames each. A stack overflow is reported for the
// thread that called install_thread_dump(); others have no spare stack for the handler.
//
// Thread safety: all functions may be called from any thread; dumps come one after the other.
// Complexity: one sleeping thread, about 7 MB of address space that is touched by dumps only.
//
// Example:
//   assert(vigil::install_thread_dump({}));  // kill -QUIT $pid prints all stacks from here on
//   const std::string text = vigil::thread_dump_text("for the example");
//   assert(text.starts_with("=== vigil thread dump of process "));
#pragma once

#include <sys/types.h>

#include <csignal>
#include <cstddef>
#include <string>
#include <string_view>

#include "vigil/base/result.h"
#include "vigil/stacks/map_mark.h"

namespace vigil {

struct ThreadDumpOptions {
  int dump_signal = SIGQUIT;  // asks for a dump; 0: none does
  // Sent to each thread. SIGURG, because a program that has no handler for it ignores it.
  int capture_signal = SIGURG;
  int descriptor = 2;  // where dumps go
  int limit_ms = 500;  // for all answers together
};

// Once per process, before or after threads are started. An Error for a second call, an unknown
// VIGIL_TRACEBACK or a refusal of the kernel.
Result<void> install_thread_dump(const ThreadDumpOptions& options);

// Writes a dump now. Context: signal, whatever was interrupted. Writes nothing if nothing was
// installed, and a line that says so if another dump does not end in time.
void write_thread_dump(int descriptor, std::string_view reason);

// The text of a dump now, with readable names. Allocates: not for signal handlers. Empty if nothing
// was installed.
std::string thread_dump_text(std::string_view reason);

namespace thread_dump {

// A map that caught two threads inside it.
struct FatalMapReport {
  std::string_view message;  // "concurrent map read and map write"
  const MapLabel& map;
  MapOperation operation;  // this thread's
  pid_t other_thread = 0;  // the other that is inside, if known
};

// Prints the report and the dump that VIGIL_TRACEBACK asks for, then aborts. Works without
// install_thread_dump() as well: then it prints the report only.
[[noreturn]] void fatal_map_report(const FatalMapReport& report);

}  // namespace thread_dump
}  // namespace vigil
