// SPDX-License-Identifier: Apache-2.0
//
// Descriptors: what they are, the happens-before through them, and waiting for them.
//
// Happens-before: what is written into a pipe, a socket pair or an event descriptor was done before
// it is read; all sockets share one clock, as do all files. Using a descriptor reads, opening and
// closing it writes a variable of its own, so that closing too early is a race. A number that the
// kernel gives again begins a new life: every call that gives one is in intercept/io_*.cc.
//
// Controlled: descriptors whose other end is in this program (pipes, socket pairs, event and timer
// descriptors, sockets on loopback) are waited for in the scheduler, which tries again whenever
// some descriptor operation succeeded. For all others the thread waits outside.
//
// Thread safety: all. Context: interceptor.
#pragma once

#include <sys/socket.h>

#include <cstdint>

#include "vigil/race/rt/detector/detector.h"

namespace vigil::race {

inline constexpr unsigned kDescriptorsMax = 1 << 16;  // further ones are not followed

enum class DescriptorKind : std::uint8_t {
  kUnknown,  // inherited, or opened where the runtime did not see it
  kFile,
  kPipe,
  kSocketPair,
  kSocket,
  kEvent,  // eventfd, timerfd
  kEpoll,
  kSignal,   // signalfd
  kOutside,  // fed by the kernel or another process: inotify, a terminal
};

// ---- happens-before

void descriptor_opened(int descriptor, DescriptorKind kind, Address pc);
// Both ends of one thing.
void descriptors_opened(int first, int second, DescriptorKind kind, Address pc);
// `to` is a new number for what `from` is.
void descriptor_duplicated(int from, int to, Address pc);
// The same for a number that was open before and now means something else (dup2).
void descriptor_replaced(int from, int to, Address pc);
// Those that a message brought: of what kind is not known.
void descriptors_received(const msghdr* message, Address pc);
void descriptor_closing(int descriptor, Address pc);
void descriptor_used(int descriptor, Address pc);
void descriptor_read(int descriptor, Address pc);
void descriptor_writing(int descriptor, Address pc);

DescriptorKind kind_of_descriptor(int descriptor);

// ---- waiting, controlled

// Waits until the events (POLLIN, POLLOUT) are there or an error is; at once if the descriptor does
// not block. False with errno EINTR if a signal ended the wait.
bool wait_for_descriptor(int descriptor, short events, const char* operation);

// Whether no other process can make the descriptor ready, and the schedule need not ask the kernel.
bool is_internal(int descriptor);

// Some descriptor operation succeeded: the threads that wait try again.
void descriptors_changed();

// What waiters for descriptors wait for.
const void* descriptors_object();

// A signal was sent that a signal descriptor may show.
void signal_descriptors_written();

// The process is about to fork: from now on another one may write to its descriptors.
void descriptors_shared();

// Whether the process forked.
bool other_processes();

// Whether a wait that only another process can end is possible: then it is no deadlock.
bool outside_may_write();

}  // namespace vigil::race
