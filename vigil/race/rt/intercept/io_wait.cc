// SPDX-License-Identifier: Apache-2.0
//
// Waiting for many descriptors: poll, select, epoll.
//
// Controlled: the real call is made with no timeout; when it finds nothing, the thread waits in the
// scheduler and tries again. If another process may make one of the descriptors ready, the thread
// waits outside with the real timeout.
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include <cerrno>

#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/world/cancellation.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/descriptors.h"
#include "vigil/race/rt/world/real_function.h"
#include "vigil/race/rt/world/signals.h"
#include "vigil/race/rt/world/virtual_time.h"
#include "vigil/race/rt/world/wait_for.h"

namespace vigil::race {
namespace {

constinit Real<decltype(&::poll)> real_poll("poll");
constinit Real<decltype(&::ppoll)> real_ppoll("ppoll");
constinit Real<decltype(&::select)> real_select("select");
constinit Real<decltype(&::pselect)> real_pselect("pselect");
constinit Real<decltype(&::epoll_ctl)> real_epoll_ctl("epoll_ctl");
constinit Real<decltype(&::epoll_wait)> real_epoll_wait("epoll_wait");
constinit Real<decltype(&::epoll_pwait)> real_epoll_pwait("epoll_pwait");

constexpr std::uint64_t kMillisecond_ns = 1'000'000;

std::uint64_t deadline_of_milliseconds(int timeout_ms) {
  if (timeout_ms < 0) return kNever;
  return deadline_after(static_cast<std::uint64_t>(timeout_ms) * kMillisecond_ns);
}

// Repeats `look` (which must not block) until it finds something, the deadline or a signal comes.
template <class Look>
int wait_inside(std::uint64_t deadline_ns, const char* operation, Look look) {
  scheduling_point(PointKind::kIo, descriptors_object());
  test_cancellation();
  if (deadline_ns <= virtual_now()) return look();
  int found = 0;
  const auto attempt = [&] {
    found = look();
    return found != 0 ? 0 : EBUSY;
  };
  const int error = wait_for(descriptors_object(), deadline_ns, operation, attempt, [] {
    test_cancellation();
    deliver_signals();
    return EINTR;
  });
  if (error != EINTR) return found;
  errno = error;
  return -1;
}

template <class Call>
int wait_outside(const char* operation, Call call) {
  int result = 0;
  {
    const ExternalWait outside(operation);
    result = call();
  }
  const int saved = errno;
  deliver_signals();
  errno = saved;
  return result;
}

int ended_by_signal() {
  errno = EINTR;
  return -1;
}

template <class Call>
int wait_free(Call call) {
  const SignalsAtOnce signals;
  return call();
}

bool all_internal(const pollfd* wanted, nfds_t count) {
  for (nfds_t i = 0; i < count; ++i) {
    if (wanted[i].fd >= 0 && !is_internal(wanted[i].fd)) return false;
  }
  return true;
}

int found_by_poll(const pollfd* wanted, nfds_t count, int found, Address pc) {
  for (nfds_t i = 0; i < count && found > 0; ++i) {
    if (wanted[i].revents != 0) descriptor_read(wanted[i].fd, pc);
  }
  return found;
}

int poll_controlled(pollfd* wanted, nfds_t count, std::uint64_t deadline_ns, int timeout_ms) {
  const auto look = [&] { return real_poll(wanted, count, 0); };
  if (all_internal(wanted, count) || timeout_ms == 0) {
    return wait_inside(deadline_ns, "poll", look);
  }
  return wait_outside("poll", [&] { return real_poll(wanted, count, timeout_ms); });
}

}  // namespace

VIGIL_INTERCEPTOR int poll(pollfd* wanted, nfds_t count, int timeout_ms) {
  const FrameScope frame(VIGIL_CALLER_PC);
  const int found =
      controlled_task() != kNoTask
          ? poll_controlled(wanted, count, deadline_of_milliseconds(timeout_ms), timeout_ms)
          : wait_free([&] { return real_poll(wanted, count, timeout_ms); });
  return found_by_poll(wanted, count, found, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int ppoll(pollfd* wanted, nfds_t count, const timespec* timeout,
                            const sigset_t* mask) {
  const FrameScope frame(VIGIL_CALLER_PC);
  int found = 0;
  if (controlled_task() != kNoTask) {
    const WaitMask waiting(mask);
    if (waiting.interrupted()) return ended_by_signal();
    const std::uint64_t duration = timeout == nullptr ? kNever : nanoseconds_of(*timeout);
    const int timeout_ms = timeout == nullptr ? -1 : static_cast<int>(duration / kMillisecond_ns);
    found = poll_controlled(wanted, count, deadline_after(duration), timeout_ms);
  } else {
    found = wait_free([&] { return real_ppoll(wanted, count, timeout, mask); });
  }
  return found_by_poll(wanted, count, found, VIGIL_CALLER_PC);
}

// ---- select

namespace {

struct Sets {
  fd_set* parts[3];

  bool all_internal(int count) const {
    for (int descriptor = 0; descriptor < count; ++descriptor) {
      for (const fd_set* part : parts) {
        if (part != nullptr && FD_ISSET(descriptor, part) && !is_internal(descriptor)) {
          return false;
        }
      }
    }
    return true;
  }
  void found(int count, Address pc) const {
    for (int descriptor = 0; descriptor < count; ++descriptor) {
      for (const fd_set* part : parts) {
        if (part != nullptr && FD_ISSET(descriptor, part)) descriptor_read(descriptor, pc);
      }
    }
  }
};

int select_controlled(int count, const Sets& sets, timeval* timeout) {
  if (!sets.all_internal(count)) {
    return wait_outside("select", [&] {
      return real_select(count, sets.parts[0], sets.parts[1], sets.parts[2], timeout);
    });
  }
  fd_set wanted[3] = {};
  for (int i = 0; i < 3; ++i) {
    if (sets.parts[i] != nullptr) wanted[i] = *sets.parts[i];
  }
  std::uint64_t deadline = kNever;
  if (timeout != nullptr) {
    deadline = deadline_after(static_cast<std::uint64_t>(timeout->tv_sec) * 1'000'000'000 +
                              static_cast<std::uint64_t>(timeout->tv_usec) * 1000);
  }
  return wait_inside(deadline, "select", [&] {
    for (int i = 0; i < 3; ++i) {
      if (sets.parts[i] != nullptr) *sets.parts[i] = wanted[i];
    }
    timeval at_once = {0, 0};
    return real_select(count, sets.parts[0], sets.parts[1], sets.parts[2], &at_once);
  });
}

}  // namespace

VIGIL_INTERCEPTOR int select(int count, fd_set* readable, fd_set* writable, fd_set* exceptional,
                             timeval* timeout) {
  const FrameScope frame(VIGIL_CALLER_PC);
  const Sets sets{{readable, writable, exceptional}};
  const int found =
      controlled_task() != kNoTask
          ? select_controlled(count, sets, timeout)
          : wait_free([&] { return real_select(count, readable, writable, exceptional, timeout); });
  if (found > 0) sets.found(count, VIGIL_CALLER_PC);
  return found;
}

VIGIL_INTERCEPTOR int pselect(int count, fd_set* readable, fd_set* writable, fd_set* exceptional,
                              const timespec* timeout, const sigset_t* mask) {
  const FrameScope frame(VIGIL_CALLER_PC);
  const Sets sets{{readable, writable, exceptional}};
  int found = 0;
  if (controlled_task() != kNoTask) {
    const WaitMask waiting(mask);
    if (waiting.interrupted()) return ended_by_signal();
    timeval rest = {};
    if (timeout != nullptr) rest = {timeout->tv_sec, timeout->tv_nsec / 1000};
    found = select_controlled(count, sets, timeout == nullptr ? nullptr : &rest);
  } else {
    found = wait_free(
        [&] { return real_pselect(count, readable, writable, exceptional, timeout, mask); });
  }
  if (found > 0) sets.found(count, VIGIL_CALLER_PC);
  return found;
}

// ---- epoll: what was done before adding is known to the thread that waits

VIGIL_INTERCEPTOR int epoll_ctl(int group, int operation, int descriptor,
                                epoll_event* event) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kIo, descriptors_object());
  descriptor_used(descriptor, VIGIL_CALLER_PC);
  descriptor_writing(group, VIGIL_CALLER_PC);
  const int result = real_epoll_ctl(group, operation, descriptor, event);
  descriptors_changed();
  return result;
}

namespace {

template <class Call>
int epoll_controlled(int group, int timeout_ms, Call call) {
  if (is_internal(group) || timeout_ms == 0) {
    return wait_inside(deadline_of_milliseconds(timeout_ms), "epoll_wait", [&] { return call(0); });
  }
  scheduling_point(PointKind::kIo, descriptors_object());
  test_cancellation();
  return wait_outside("epoll_wait", [&] { return call(timeout_ms); });
}

template <class Call>
int epoll(int group, int timeout_ms, Address pc, Call call) {
  descriptor_used(group, pc);
  const int found = controlled_task() != kNoTask ? epoll_controlled(group, timeout_ms, call)
                                                 : wait_free([&] { return call(timeout_ms); });
  if (found > 0) descriptor_read(group, pc);
  return found;
}

}  // namespace

VIGIL_INTERCEPTOR int epoll_wait(int group, epoll_event* events, int count, int timeout_ms) {
  const FrameScope frame(VIGIL_CALLER_PC);
  return epoll(group, timeout_ms, VIGIL_CALLER_PC,
               [&](int wait_ms) { return real_epoll_wait(group, events, count, wait_ms); });
}

VIGIL_INTERCEPTOR int epoll_pwait(int group, epoll_event* events, int count, int timeout_ms,
                                  const sigset_t* mask) {
  const FrameScope frame(VIGIL_CALLER_PC);
  const WaitMask waiting(mask);
  if (waiting.interrupted()) return ended_by_signal();
  return epoll(group, timeout_ms, VIGIL_CALLER_PC,
               [&](int wait_ms) { return real_epoll_pwait(group, events, count, wait_ms, mask); });
}

}  // namespace vigil::race
