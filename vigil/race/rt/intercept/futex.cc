// SPDX-License-Identifier: Apache-2.0
//
// syscall(): where std::atomic::wait, std::latch, std::counting_semaphore, std::barrier and
// std::future end up. In controlled mode waiting on a futex is the scheduler's; the real system
// call still follows a wake-up, for waiters that the runtime does not know.
//
// The values in the words are atomic variables of the program: they carry the happens-before.
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/raw/syscall.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/descriptor_calls.h"
#include "vigil/race/rt/world/descriptors.h"
#include "vigil/race/rt/world/processors.h"
#include "vigil/race/rt/world/real_function.h"
#include "vigil/race/rt/world/signals.h"
#include "vigil/race/rt/world/virtual_time.h"

namespace vigil::race {
namespace {

struct Arguments {
  long values[6];

  template <class T>
  T at(int index) const {
    return (T)values[index];  // NOLINT: the kernel's view: pointers and integers alike
  }
};

// A word that another process may change and wake; the time is the kernel's as it stands.
long futex_wait_outside(const Arguments& arguments) {
  const long* a = arguments.values;
  long result = 0;
  {
    const ExternalWait outside("futex wait");
    result = raw_syscall(SYS_futex, a[0], a[1], a[2], a[3], a[4], a[5]);
  }
  deliver_signals();
  return result;
}

// As the system call gives them: the result or -errno.
long futex_wait_controlled(const Arguments& arguments, int operation) {
  auto* word = arguments.at<std::uint32_t*>(0);
  const auto expected = arguments.at<std::uint32_t>(2);
  const auto* time = arguments.at<const timespec*>(3);
  scheduling_point(PointKind::kSync, word);
  if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != expected) return -EAGAIN;
  if ((operation & FUTEX_PRIVATE_FLAG) == 0 && other_processes()) {
    return futex_wait_outside(arguments);
  }
  std::uint64_t deadline = kNever;
  if (time != nullptr && (operation & FUTEX_CMD_MASK) == FUTEX_WAIT) {
    deadline = deadline_after(nanoseconds_of(*time));
  } else if (time != nullptr) {
    const bool real_time = (operation & FUTEX_CLOCK_REALTIME) != 0;
    deadline = deadline_at(real_time ? CLOCK_REALTIME : CLOCK_MONOTONIC, time);
  }
  switch (block_on(word, deadline, "futex wait", true)) {
    case WaitResult::kTimedOut:
      return -ETIMEDOUT;
    case WaitResult::kInterrupted:
      deliver_signals();
      return -EINTR;
    case WaitResult::kWoken:
      break;
  }
  return 0;
}

long futex_wake_controlled(const Arguments& arguments, std::uint32_t count) {
  auto* word = arguments.at<std::uint32_t*>(0);
  scheduling_point(PointKind::kSync, word);
  const std::uint32_t woken = notify(word, count);
  if (woken >= count) return woken;
  const long others = raw_syscall(SYS_futex, word, FUTEX_WAKE, count - woken);
  return others > 0 ? static_cast<long>(woken) + others : woken;
}

// All that wait at the first word wake up: a thread that would only have moved to the second tries
// again.
long futex_requeue_controlled(const Arguments& arguments, int command) {
  auto* word = arguments.at<std::uint32_t*>(0);
  if (command == FUTEX_CMP_REQUEUE &&
      __atomic_load_n(word, __ATOMIC_SEQ_CST) != arguments.at<std::uint32_t>(5)) {
    return -EAGAIN;
  }
  return futex_wake_controlled(arguments, kEveryone >> 1);
}

long futex(const Arguments& arguments) {
  const auto operation = arguments.at<int>(1);
  const int command = operation & FUTEX_CMD_MASK;
  if (controlled_task() != kNoTask) {
    switch (command) {
      case FUTEX_WAIT:
      case FUTEX_WAIT_BITSET:
        return futex_wait_controlled(arguments, operation);
      case FUTEX_WAKE:
      case FUTEX_WAKE_BITSET:
        return futex_wake_controlled(arguments, arguments.at<std::uint32_t>(2));
      case FUTEX_REQUEUE:
      case FUTEX_CMP_REQUEUE:
        return futex_requeue_controlled(arguments, command);
      default:
        break;
    }
  }
  const SignalsAtOnce signals;
  const long* a = arguments.values;
  return raw_syscall(SYS_futex, a[0], a[1], a[2], a[3], a[4], a[5]);
}

long affinity(long number, const Arguments& arguments) {
  const std::uint32_t task = task_with_processors(arguments.at<pid_t>(0));
  const auto size = arguments.at<std::size_t>(1);
  auto* const set = arguments.at<cpu_set_t*>(2);
  if (task == kNoTask) return raw_syscall(number, arguments.values[0], size, set);
  if (number == SYS_sched_setaffinity) return -set_processors(task, size, set);
  const int error = get_processors(task, size, set);
  // The kernel tells how many bytes it filled.
  return error != 0 ? -error : static_cast<long>(std::min(size, sizeof(cpu_set_t)));
}

long call(long number, const Arguments& arguments) {
  const long* a = arguments.values;
  switch (number) {
    case SYS_futex:
      return futex(arguments);
    case SYS_getrandom:
      if (controlled()) {
        fill_with_random(arguments.at<void*>(0), arguments.at<std::size_t>(1));
        return a[1];
      }
      break;
    case SYS_sched_getaffinity:
    case SYS_sched_setaffinity:
      return affinity(number, arguments);
    case SYS_kill:
      return kill_process(arguments.at<pid_t>(0), arguments.at<int>(1));
    case SYS_tgkill:
      return kill_kernel_thread(arguments.at<pid_t>(0), arguments.at<int>(1), arguments.at<int>(2));
    case SYS_tkill:
      return kill_kernel_thread(getpid(), arguments.at<int>(0), arguments.at<int>(1));
    case SYS_sched_yield:
      scheduling_point(PointKind::kYield, nullptr);
      break;
    default:
      break;
  }
  return raw_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

}  // namespace

VIGIL_INTERCEPTOR long syscall(long number, ...) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  Arguments arguments;
  va_list list;
  va_start(list, number);
  for (long& value : arguments.values) value = va_arg(list, long);
  va_end(list);
  descriptor_call_begins(number, arguments.values, VIGIL_CALLER_PC);
  const long result = call(number, arguments);
  if (result >= 0 || result < -4095) {
    descriptor_call_succeeded(number, arguments.values, result, VIGIL_CALLER_PC);
    return result;
  }
  errno = static_cast<int>(-result);
  return -1;
}

}  // namespace vigil::race
