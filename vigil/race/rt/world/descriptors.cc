// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/world/descriptors.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "vigil/race/rt/raw/options.h"
#include "vigil/race/rt/raw/syscall.h"
#include "vigil/race/rt/world/accesses.h"
#include "vigil/race/rt/world/cancellation.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/signals.h"

namespace vigil::race {
namespace {

struct Descriptor {
  alignas(8) char trace[8];  // read by users, written by open and close
  std::uint32_t channel;     // of a pair: index of the shared clock; 0: its own
  DescriptorKind kind;
};

struct alignas(8) Clock {
  char bytes[8];
};

struct State {
  Descriptor table[kDescriptorsMax];
  Clock own_clocks[kDescriptorsMax];
  Clock channels[kDescriptorsMax];
  Clock socket_clock;
  Clock file_clock;
  Clock signal_clock;
  std::uint32_t last_channel;
  char waiters;  // what waiters for descriptors wait for
  std::uint32_t socket_waiters;
  bool shared;  // the process forked: another one may write to its descriptors
  bool has_signal_descriptors;
};
constinit State state = {};

bool known(int descriptor) { return static_cast<unsigned>(descriptor) < kDescriptorsMax; }

// Null for the standard streams: output of two threads is not ordered by it.
const Clock* clock_of(int descriptor) {
  const Descriptor& entry = state.table[descriptor];
  switch (entry.kind) {
    case DescriptorKind::kUnknown:
      return descriptor <= STDERR_FILENO ? nullptr : &state.own_clocks[descriptor];
    case DescriptorKind::kFile:
      return &state.file_clock;
    case DescriptorKind::kSocket:
      return &state.socket_clock;
    case DescriptorKind::kSignal:
      return &state.signal_clock;
    default:
      return entry.channel == 0 ? &state.own_clocks[descriptor] : &state.channels[entry.channel];
  }
}

void open_entry(int descriptor, DescriptorKind kind, std::uint32_t channel, Address pc) {
  if (!known(descriptor)) return;
  // The kernel gave the number away again only after the last owner closed it.
  memory_reset(state.table[descriptor].trace, sizeof state.table[descriptor].trace);
  write_range(state.table[descriptor].trace, sizeof state.table[descriptor].trace, pc);
  state.table[descriptor].kind = kind;
  state.table[descriptor].channel = channel;
  if (kind == DescriptorKind::kSignal) state.has_signal_descriptors = true;
}

}  // namespace

void descriptor_opened(int descriptor, DescriptorKind kind, Address pc) {
  open_entry(descriptor, kind, 0, pc);
  if (known(descriptor)) sync_destroyed(&state.own_clocks[descriptor], sizeof(Clock));
}

void descriptors_opened(int first, int second, DescriptorKind kind, Address pc) {
  const std::uint32_t channel =
      1 + __atomic_fetch_add(&state.last_channel, 1, __ATOMIC_RELAXED) % (kDescriptorsMax - 1);
  open_entry(first, kind, channel, pc);
  open_entry(second, kind, channel, pc);
}

void descriptor_duplicated(int from, int to, Address pc) {
  if (!known(to)) return;
  descriptor_used(from, pc);
  const Descriptor source = known(from) ? state.table[from] : Descriptor{};
  open_entry(to, source.kind, source.channel, pc);
}

void descriptor_replaced(int from, int to, Address pc) {
  if (!known(from) || !known(to)) return;
  descriptor_used(from, pc);
  // Not a write: programs replace a descriptor by dup2() while others use it, and mean it.
  read_range(state.table[to].trace, sizeof state.table[to].trace, pc);
  state.table[to].kind = state.table[from].kind;
  state.table[to].channel = state.table[from].channel;
}

void descriptors_received(const msghdr* message, Address pc) {
  auto* whole = const_cast<msghdr*>(message);
  for (const cmsghdr* part = CMSG_FIRSTHDR(whole); part != nullptr;
       part = CMSG_NXTHDR(whole, const_cast<cmsghdr*>(part))) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const auto* numbers = reinterpret_cast<const int*>(CMSG_DATA(part));
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t index = 0; index < count; ++index) {
      descriptor_opened(numbers[index], DescriptorKind::kUnknown, pc);
    }
  }
}

void descriptor_closing(int descriptor, Address pc) {
  if (!known(descriptor)) return;
  write_range(state.table[descriptor].trace, sizeof state.table[descriptor].trace, pc);
  if (const Clock* clock = clock_of(descriptor)) release_merge(clock);
  state.table[descriptor].kind = DescriptorKind::kUnknown;
  state.table[descriptor].channel = 0;
}

void descriptor_used(int descriptor, Address pc) {
  if (known(descriptor)) {
    read_range(state.table[descriptor].trace, sizeof state.table[descriptor].trace, pc);
  }
}

void descriptor_read(int descriptor, Address pc) {
  if (!known(descriptor)) return;
  descriptor_used(descriptor, pc);
  if (const Clock* clock = clock_of(descriptor)) acquire(clock);
}

void descriptor_writing(int descriptor, Address pc) {
  if (!known(descriptor)) return;
  descriptor_used(descriptor, pc);
  if (const Clock* clock = clock_of(descriptor)) release_merge(clock);
}

DescriptorKind kind_of_descriptor(int descriptor) {
  return known(descriptor) ? state.table[descriptor].kind : DescriptorKind::kUnknown;
}

// ---- waiting

namespace {

// Where a socket talks to.
bool on_loopback(int descriptor) {
  sockaddr_storage address = {};
  unsigned size = sizeof address;
  if (raw_syscall(SYS_getsockname, descriptor, &address, &size) != 0) return false;
  if (address.ss_family == AF_UNIX) return true;
  if (address.ss_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(&address);
    return (in->sin_addr.s_addr & 0xff) == 127;
  }
  if (address.ss_family == AF_INET6) {
    const auto* in = reinterpret_cast<const sockaddr_in6*>(&address);
    return IN6_IS_ADDR_LOOPBACK(&in->sin6_addr);
  }
  return false;
}

bool is_ready(int descriptor, short events) {
  pollfd wanted = {descriptor, events, 0};
  return raw_syscall(SYS_poll, &wanted, 1, 0) != 0;
}

bool never_blocks(int descriptor) {
  const long flags = raw_syscall(SYS_fcntl, descriptor, F_GETFL);
  return flags < 0 || (flags & O_NONBLOCK) != 0;
}

bool wait_inside(const char* operation, bool socket) {
  state.socket_waiters += socket ? 1 : 0;
  const WaitResult result = block_on(&state.waiters, kNever, operation, true);
  state.socket_waiters -= socket ? 1 : 0;
  if (result != WaitResult::kInterrupted) return true;
  test_cancellation();
  if (!deliver_signals()) return true;
  errno = EINTR;
  return false;
}

bool wait_outside(int descriptor, short events, const char* operation) {
  for (;;) {
    pollfd wanted = {descriptor, events, 0};
    long result = 0;
    {
      const ExternalWait outside(operation);
      result = raw_syscall(SYS_poll, &wanted, 1, -1);
    }
    if (result != -EINTR) return true;
    test_cancellation();
    if (deliver_signals()) break;
  }
  errno = EINTR;
  return false;
}

}  // namespace

bool is_internal(int descriptor) {
  // In real time the kernel wakes whoever waits, at once; virtual time would run on without it.
  if (options().time == TimeMode::kReal) return false;
  switch (kind_of_descriptor(descriptor)) {
    case DescriptorKind::kPipe:
    case DescriptorKind::kSocketPair:
    case DescriptorKind::kEvent:
    case DescriptorKind::kEpoll:
    case DescriptorKind::kFile:
    case DescriptorKind::kSignal:
      return true;
    case DescriptorKind::kSocket:
      return on_loopback(descriptor);
    case DescriptorKind::kOutside:
    case DescriptorKind::kUnknown:
      break;
  }
  return false;
}

bool wait_for_descriptor(int descriptor, short events, const char* operation) {
  if (controlled_task() == kNoTask) return true;
  scheduling_point(PointKind::kIo, &state.waiters);
  test_cancellation();
  if (is_ready(descriptor, events) || never_blocks(descriptor)) return true;
  if (!is_internal(descriptor)) return wait_outside(descriptor, events, operation);
  const bool socket = kind_of_descriptor(descriptor) == DescriptorKind::kSocket;
  do {
    if (!wait_inside(operation, socket)) return false;
  } while (!is_ready(descriptor, events));
  return true;
}

void descriptors_changed() {
  if (controlled()) wake(&state.waiters, kEveryone);
}

const void* descriptors_object() { return &state.waiters; }

void signal_descriptors_written() {
  if (!state.has_signal_descriptors) return;
  release_merge(&state.signal_clock);
  descriptors_changed();
}

void descriptors_shared() { state.shared = true; }

bool other_processes() { return state.shared; }

bool outside_may_write() {
  return state.socket_waiters != 0 || state.shared || state.has_signal_descriptors;
}

}  // namespace vigil::race
