// SPDX-License-Identifier: Apache-2.0
//
// ThisThread: the kernel's id of the calling thread, asked for once per thread.
//
// Use when: an id is needed where a system call costs too much. Use instead: gettid().
//
// Thread safety: any thread. A forked child asks anew.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace vigil::stacks {

class ThisThread {
 public:
  [[nodiscard]] static pid_t id() noexcept {
    if (id_ == 0) [[unlikely]]
      ask_kernel();
    return id_;
  }

  // 0 until id() was called on this thread.
  [[nodiscard]] static std::uint64_t id_if_known() noexcept {
    return static_cast<std::uint64_t>(id_);
  }

 private:
  [[gnu::cold]] static void ask_kernel() noexcept;
  static inline thread_local constinit pid_t id_ = 0;
};

}  // namespace vigil::stacks
