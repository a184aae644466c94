// SPDX-License-Identifier: Apache-2.0
//
// Start-up and end of the runtime, above all its folders: here they are introduced to each other.
#include <fcntl.h>
#include <pthread.h>

#include <cstdio>

#include "vigil/race/rt/detector/c_library.h"
#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/detector/findings.h"
#include "vigil/race/rt/detector/records.h"
#include "vigil/race/rt/detector/shadow.h"
#include "vigil/race/rt/detector/sync_objects.h"
#include "vigil/race/rt/detector/threads.h"
#include "vigil/race/rt/raw/memory.h"
#include "vigil/race/rt/raw/options.h"
#include "vigil/race/rt/raw/started.h"
#include "vigil/race/rt/raw/syscall.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/descriptors.h"
#include "vigil/race/rt/world/processors.h"
#include "vigil/race/rt/world/real_function.h"
#include "vigil/race/rt/world/signals.h"
#include "vigil/race/rt/world/thread_handles.h"
#include "vigil/race/rt/world/virtual_time.h"

// What a program or its libraries may have. NOLINTBEGIN(readability-identifier-naming): their
// names.
extern "C" {
[[gnu::weak]] const char* __tsan_default_suppressions();
[[gnu::weak]] void __kmpc_fork_call();
[[gnu::weak]] int TBB_runtime_interface_version();
}  // NOLINTEND(readability-identifier-naming)

namespace vigil::race {
namespace {

constexpr std::size_t kSuppressionsMax = 64 << 10;

struct State {
  char suppressions[kSuppressionsMax];  // of the file that TSAN_OPTIONS names
};
constinit State state = {};

void read_suppressions() {
  if (__tsan_default_suppressions != nullptr) record_suppressions(__tsan_default_suppressions());
  if (options().suppressions[0] == 0) return;
  const long file = raw_syscall(SYS_open, options().suppressions, O_RDONLY | O_CLOEXEC);
  if (file < 0) fail("cannot open the suppressions file of TSAN_OPTIONS");
  raw_syscall(SYS_read, file, state.suppressions, kSuppressionsMax - 1);
  raw_syscall(SYS_close, file);
  record_suppressions(state.suppressions);
}

bool has_suppressions() {
  return __tsan_default_suppressions != nullptr || options().suppressions[0] != 0;
}

// What the user should know before the first report.
void tell_limits() {
  if (has_suppressions() && !recording_to_file()) {
    report_note("suppressions go by names: they need vigil in PATH, or `vigil race run`");
  }
  if (ignored_tsan_options()[0] != 0) {
    report_note("these keys of TSAN_OPTIONS mean nothing here:");
    report_note(ignored_tsan_options());
  }
  if (__kmpc_fork_call != nullptr) {
    report_note(
        "the program uses clang's OpenMP, whose library orders its threads unseen: reports on what "
        "they share by reductions and barriers may be false; g++'s OpenMP is known");
  }
  if (TBB_runtime_interface_version != nullptr) {
    report_note(
        "the program uses TBB (std::execution::par), whose library orders its tasks unseen: "
        "reports on what they share may be false");
  }
}

}  // namespace

// In this order: each step may use those before it.
void started_internal::start() {
  started = true;
  read_options();
  records_init();
  read_suppressions();
  tell_limits();
  c_library_init(reinterpret_cast<Address>(find_real_function("malloc", nullptr)),
                 reinterpret_cast<Address>(find_real_function("__tls_get_addr", nullptr)));
  shadow_init(report_memory_finding);
  sync_init();
  controlled_init({.signals_pending = signals_pending,
                   .deliver_signals = deliver_signals,
                   .take_in_outside_signals = take_in_outside_signals,
                   .waits_for_outside_signal = waits_for_outside_signal,
                   .task_created = signals_task_created,
                   .task_finished = signals_task_finished,
                   .timer_fired = virtual_timer_fired,
                   .descriptors_object = descriptors_object,
                   .outside_may_write = outside_may_write});
  processors_init();
  threads_init();
  // Registered before any handler of the program: ours is the last before the fork and the first
  // after it, so the program's handlers may lock and allocate.
  pthread_atfork(before_fork, after_fork, after_fork_in_child);
  thread_handles_init();
  signals_init(signal_descriptors_written);
}

namespace {

[[gnu::constructor(101)]] void start_with_the_program() { ensure_started(); }

// Runs after the program's own handlers and destructors.
[[gnu::destructor(101)]] void end_with_the_program() {
  const int code = finish_process(0);
  if (code == 0) return;
  std::fflush(nullptr);
  raw_syscall(SYS_exit_group, code);
}

}  // namespace
}  // namespace vigil::race
