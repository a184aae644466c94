// SPDX-License-Identifier: Apache-2.0
#include "vigil/stacks/this_thread.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vigil::stacks {

void ThisThread::ask_kernel() noexcept {
  // A child process has other threads than its parent.
  static const int registered =
      pthread_atfork(nullptr, nullptr, [] { id_ = static_cast<pid_t>(syscall(SYS_gettid)); });
  static_cast<void>(registered);
  id_ = static_cast<pid_t>(syscall(SYS_gettid));
}

}  // namespace vigil::stacks
