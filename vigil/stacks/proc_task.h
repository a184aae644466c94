// SPDX-License-Identifier: Apache-2.0
//
// What the kernel tells about the threads of this process: /proc/self/task.
//
// Context: signal. Allocates nothing.
// Thread safety: pure reads.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace vigil::stacks {

struct TaskFacts {
  pid_t thread = 0;
  std::array<char, 16> name{};        // as pthread_setname_np set it
  char state = '?';                   // R running, S sleeping, D uninterruptible, T stopped, Z dead
  long syscall = -1;                  // the call it is blocked in; -1 none or not known
  std::uint64_t pc = 0;               // where it entered the kernel, 0 if not known
  std::uint64_t blocked_signals = 0;  // bit n-1 for signal n
  std::array<char, 32> wait_channel{};  // the kernel function it sleeps in, if the kernel says so
};

// The ids of all threads of this process; at most ids.size().
std::size_t list_threads(std::span<pid_t> ids);

// False if the thread is gone.
bool read_task_facts(pid_t thread, TaskFacts* facts);

// "futex", "epoll_wait"; empty if it is not one of those that programs wait in.
std::string_view syscall_name(long number);

// Reads a small file whole. Returns what fits into `buffer`.
std::string_view read_small_file(const char* path, std::span<char> buffer);

}  // namespace vigil::stacks
