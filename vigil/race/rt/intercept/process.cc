// SPDX-License-Identifier: Apache-2.0
//
// fork and its relatives, waiting for children, ends of the process, entropy, long jumps, callbacks
// that libc makes while it holds a lock.
//
// A child of fork() goes on as a process of its own with a copy of the schedule and one thread.
// Waiting for a child keeps the token: the others stand still, so that the run repeats, and if the
// child needs them, they take the token after a second (see controlled.cc).
#include <link.h>
#include <pthread.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/raw/started.h"
#include "vigil/race/rt/raw/syscall.h"
#include "vigil/race/rt/world/accesses.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/descriptors.h"
#include "vigil/race/rt/world/real_function.h"
#include "vigil/race/rt/world/signals.h"
#include "vigil/race/rt/world/thread_handles.h"
#include "vigil/race/rt/world/waiting_threads.h"

namespace vigil::race {
namespace {

constinit Real<decltype(&::fork)> real_fork("fork");
constinit Real<decltype(&::waitpid)> real_waitpid("waitpid");
constinit Real<decltype(&::wait4)> real_wait4("wait4");
constinit Real<decltype(&::waitid)> real_waitid("waitid");
constinit Real<decltype(&::quick_exit)> real_quick_exit("quick_exit");
constinit Real<decltype(&::dl_iterate_phdr)> real_dl_iterate_phdr("dl_iterate_phdr");

}  // namespace

// ---- fork and its relatives

VIGIL_INTERCEPTOR pid_t fork() noexcept {
  ensure_started();
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kSync, nullptr);
  pid_t child = 0;
  {
    const IgnoreScope ignore;
    const NoPreemption whole;
    descriptors_shared();
    child = real_fork();
    if (child == 0) {
      controlled_after_fork();
      thread_handles_after_fork();
      waiting_threads_after_fork();
    }
  }
  return child;
}

// The child of a vfork() runs on its parent's stack, and with it on the runtime's state: a real
// fork is the safe meaning of the same.
VIGIL_INTERCEPTOR pid_t vfork() noexcept { return fork(); }

VIGIL_INTERCEPTOR pid_t waitpid(pid_t process, int* status, int flags) {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kSync, nullptr);
  const SignalsAtOnce signals;
  return real_waitpid(process, status, flags);
}

VIGIL_INTERCEPTOR pid_t wait(int* status) {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kSync, nullptr);
  const SignalsAtOnce signals;
  return real_waitpid(-1, status, 0);
}

VIGIL_INTERCEPTOR pid_t wait4(pid_t process, int* status, int flags, rusage* usage) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kSync, nullptr);
  const SignalsAtOnce signals;
  return real_wait4(process, status, flags, usage);
}

VIGIL_INTERCEPTOR int waitid(idtype_t type, id_t id, siginfo_t* info, int flags) {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kSync, nullptr);
  const SignalsAtOnce signals;
  return real_waitid(type, id, info, flags);
}

// ---- ends that do not run the destructors of the program

VIGIL_INTERCEPTOR void _exit(int code) {  // NOLINT: POSIX's name
  raw_syscall(SYS_exit_group, finish_process(code));
  __builtin_trap();
}

VIGIL_INTERCEPTOR void _Exit(int code) noexcept {  // NOLINT: C's name
  raw_syscall(SYS_exit_group, finish_process(code));
  __builtin_trap();
}

VIGIL_INTERCEPTOR void quick_exit(int code) noexcept {
  real_quick_exit(finish_process(code));
  __builtin_trap();
}

// ---- entropy

VIGIL_INTERCEPTOR ssize_t getrandom(void* bytes, size_t size, unsigned flags) {
  if (controlled()) {
    fill_with_random(bytes, size);
  } else {
    const long got = raw_syscall(SYS_getrandom, bytes, size, flags);
    if (got < 0) {
      errno = static_cast<int>(-got);
      return -1;
    }
    size = static_cast<std::size_t>(got);
  }
  write_range(bytes, size, VIGIL_CALLER_PC);
  return static_cast<ssize_t>(size);
}

VIGIL_INTERCEPTOR int getentropy(void* bytes, size_t size) {
  constexpr std::size_t kMost = 256;
  if (size > kMost) {
    errno = EIO;
    return -1;
  }
  return getrandom(bytes, size, 0) < 0 ? -1 : 0;
}

// std::random_device::_M_getval(): libstdc++ asks the processor, past all interceptors.
VIGIL_INTERCEPTOR unsigned vigil_race_random_device_value(void* device) __asm__(
    "_ZNSt13random_device9_M_getvalEv");

VIGIL_INTERCEPTOR unsigned vigil_race_random_device_value(void* /*device*/) {
  if (controlled()) return static_cast<unsigned>(controlled_random());
  unsigned value = 0;
  raw_syscall(SYS_getrandom, &value, sizeof value, 0);
  return value;
}

// ---- callbacks under libc's locks: no other thread may run before they return

VIGIL_INTERCEPTOR int dl_iterate_phdr(int (*visit)(dl_phdr_info*, size_t, void*), void* argument) {
  const NoPreemption whole;
  return real_dl_iterate_phdr(visit, argument);
}

}  // namespace vigil::race
