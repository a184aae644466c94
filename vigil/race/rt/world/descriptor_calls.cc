// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/world/descriptor_calls.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include "vigil/race/rt/world/descriptors.h"

namespace vigil::race {
namespace {

// The calls whose result is a new descriptor.
struct Opening {
  long number;
  DescriptorKind kind;
};
constexpr Opening kOpenings[] = {
    {SYS_open, DescriptorKind::kFile},
    {SYS_openat, DescriptorKind::kFile},
    {SYS_openat2, DescriptorKind::kFile},
    {SYS_open_by_handle_at, DescriptorKind::kFile},
    {SYS_creat, DescriptorKind::kFile},
    {SYS_memfd_create, DescriptorKind::kFile},
    {SYS_memfd_secret, DescriptorKind::kFile},
    {SYS_socket, DescriptorKind::kSocket},
    {SYS_accept, DescriptorKind::kSocket},
    {SYS_accept4, DescriptorKind::kSocket},
    {SYS_eventfd, DescriptorKind::kEvent},
    {SYS_eventfd2, DescriptorKind::kEvent},
    {SYS_epoll_create, DescriptorKind::kEpoll},
    {SYS_epoll_create1, DescriptorKind::kEpoll},
    {SYS_timerfd_create, DescriptorKind::kOutside},
    {SYS_signalfd4, DescriptorKind::kOutside},
    {SYS_inotify_init, DescriptorKind::kOutside},
    {SYS_inotify_init1, DescriptorKind::kOutside},
    {SYS_fanotify_init, DescriptorKind::kOutside},
    {SYS_perf_event_open, DescriptorKind::kOutside},
    {SYS_userfaultfd, DescriptorKind::kOutside},
    {SYS_io_uring_setup, DescriptorKind::kOutside},
    {SYS_pidfd_open, DescriptorKind::kOutside},
    {SYS_pidfd_getfd, DescriptorKind::kUnknown},
    {SYS_mq_open, DescriptorKind::kOutside},
    {SYS_landlock_create_ruleset, DescriptorKind::kOutside},
    {SYS_fsopen, DescriptorKind::kOutside},
    {SYS_fsmount, DescriptorKind::kOutside},
    {SYS_fspick, DescriptorKind::kOutside},
    {SYS_open_tree, DescriptorKind::kOutside},
};

const int* pair_at(long argument) {
  return reinterpret_cast<const int*>(argument);  // NOLINT: the kernel's view
}

bool is_copy(long number, const long* arguments) {
  return number == SYS_dup ||
         (number == SYS_fcntl && (arguments[1] == F_DUPFD || arguments[1] == F_DUPFD_CLOEXEC));
}

}  // namespace

void descriptor_call_begins(long number, const long* arguments, Address pc) {
  const auto first = static_cast<int>(arguments[0]);
  if (number == SYS_close) descriptor_closing(first, pc);
  if (number == SYS_io_uring_enter) descriptor_writing(first, pc);
}

void descriptor_call_succeeded(long number, const long* arguments, long result, Address pc) {
  const auto first = static_cast<int>(arguments[0]);
  const auto opened = static_cast<int>(result);
  if (is_copy(number, arguments)) return descriptor_duplicated(first, opened, pc);
  switch (number) {
    case SYS_io_uring_enter:
      return descriptor_read(first, pc);
    case SYS_dup2:
    case SYS_dup3:
      return descriptor_replaced(first, opened, pc);
    case SYS_pipe:
    case SYS_pipe2: {
      const int* const ends = pair_at(arguments[0]);
      return descriptors_opened(ends[0], ends[1], DescriptorKind::kPipe, pc);
    }
    case SYS_socketpair: {
      const int* const ends = pair_at(arguments[3]);
      return descriptors_opened(ends[0], ends[1], DescriptorKind::kSocketPair, pc);
    }
    default:
      break;
  }
  for (const Opening& opening : kOpenings) {
    if (opening.number == number) return descriptor_opened(opened, opening.kind, pc);
  }
}

}  // namespace vigil::race
