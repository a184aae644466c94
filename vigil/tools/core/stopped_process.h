// SPDX-License-Identifier: Apache-2.0
//
// StoppedProcess: all threads of a process held still, so that what is read of them belongs to one
// moment; the destructor lets them go on as they were (running, in a system call, stopped).
//
// Uses PTRACE_SEIZE and PTRACE_INTERRUPT, which send no signal to the program: a system call that
// waits is restarted by the kernel. A signal that arrives meanwhile is delivered at the end.
//
// Thread safety: none; ptrace belongs to the thread that attached.
#pragma once

#include <sys/types.h>

#include <memory>
#include <unordered_set>
#include <vector>

#include "vigil/base/result.h"

namespace vigil::tools {

class StoppedProcess {
 public:
  // An Error says why a process cannot be stopped: gone, not permitted, traced by another.
  static Result<std::unique_ptr<StoppedProcess>> stop(pid_t process);
  ~StoppedProcess();
  StoppedProcess(const StoppedProcess&) = delete;
  StoppedProcess& operator=(const StoppedProcess&) = delete;

  [[nodiscard]] const auto& threads() const { return threads_; }

 private:
  struct Thread {
    pid_t id = 0;
    int pending_signal = 0;  // delivered when it goes on
  };

  explicit StoppedProcess(pid_t process) : process_(process) {}
  Result<void> seize_new_threads(std::size_t* seized);
  void await_stop(Thread* thread);

  const pid_t process_;
  std::vector<Thread> threads_;
  std::unordered_set<pid_t> known_;  // seen before, ended or not
};

}  // namespace vigil::tools
