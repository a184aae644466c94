// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/core/stopped_process.h"

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <string>

#include "vigil/base/files.h"

namespace vigil::tools {

namespace {

std::vector<pid_t> threads_of(pid_t process) {
  std::vector<pid_t> threads;
  std::error_code error;
  const std::string folder = "/proc/" + std::to_string(process) + "/task";
  for (auto entry = std::filesystem::directory_iterator(folder, error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    threads.push_back(static_cast<pid_t>(std::stol(entry->path().filename().string())));
  }
  return threads;
}

// What /proc/PID/stat says after the name, which may hold blanks and brackets.
struct ProcessFacts {
  char state = '?';
  unsigned flags = 0;
};

ProcessFacts facts_of(pid_t process) {
  ProcessFacts facts;
  // Not an error: the process may have ended.
  const Result<std::string> stat = read_file("/proc/" + std::to_string(process) + "/stat");
  const std::size_t name_end = stat ? stat->rfind(')') : std::string::npos;
  if (name_end == std::string::npos) return facts;
  std::istringstream fields(stat->substr(name_end + 1));
  std::string skipped;  // ppid, pgrp, session, tty, its group
  fields >> facts.state;
  for (int i = 0; i < 5; ++i) fields >> skipped;
  fields >> facts.flags;
  return facts;
}

bool has_ended(pid_t thread) {
  const int saved = errno;
  const char state = facts_of(thread).state;
  errno = saved;
  return state == 'Z' || state == 'X';
}

// Why nobody can look into a process; or empty.
std::string never_stopped(pid_t process) {
  constexpr unsigned kKernelThread = 0x00200000;  // PF_KTHREAD
  if (process == getpid() || process == getppid()) return "is this program itself";
  const ProcessFacts facts = facts_of(process);
  if (has_ended(process)) {
    return "has ended and is a zombie: it has no memory to look into; its parent must wait for it";
  }
  if ((facts.flags & kKernelThread) != 0) return "is a thread of the kernel, no program";
  return {};
}

Error why_not(pid_t process, int error) {
  const std::string who = "process " + std::to_string(process);
  if (const std::string never = never_stopped(process); !never.empty()) {
    return Error{who + " " + never};
  }
  if (error == ESRCH) return Error{"there is no " + who + " (any more)"};
  if (process == 1 && error == EPERM) {
    return Error{who +
                 " is init, the first process of this system or container: only root outside "
                 "of the container may stop it"};
  }
  if (error == EPERM) {
    return Error{"no permission to stop " + who +
                 ": run as its user or as root; inside a container add the capability "
                 "SYS_PTRACE; a debugger that is attached must detach first; and "
                 "/proc/sys/kernel/yama/ptrace_scope must allow it"};
  }
  return Error{"cannot stop " + who + ": " + std::strerror(error)};
}

}  // namespace

Result<std::unique_ptr<StoppedProcess>> StoppedProcess::stop(pid_t process) {
  std::unique_ptr<StoppedProcess> stopped(new StoppedProcess(process));
  // A thread that was not yet stopped may have started another: list until none is new.
  for (std::size_t seized = 1; seized != 0;) {
    const Result<void> done = stopped->seize_new_threads(&seized);
    if (!done) return done.error();
  }
  if (stopped->threads_.empty()) return why_not(process, ESRCH);
  return stopped;
}

Result<void> StoppedProcess::seize_new_threads(std::size_t* seized) {
  const std::size_t known = threads_.size();
  for (const pid_t id : threads_of(process_)) {
    if (known_.contains(id)) continue;
    if (ptrace(PTRACE_SEIZE, id, nullptr, nullptr) != 0) {
      if (errno == ESRCH || has_ended(id)) continue;  // meanwhile, or before its process did
      return why_not(process_, errno);
    }
    ptrace(PTRACE_INTERRUPT, id, nullptr, nullptr);
    threads_.push_back({id, 0});
    known_.insert(id);
  }
  *seized = threads_.size() - known;
  for (std::size_t i = known; i < threads_.size(); ++i) await_stop(&threads_[i]);
  std::erase_if(threads_, [](const Thread& thread) { return thread.id == 0; });
  return {};
}

void StoppedProcess::await_stop(Thread* thread) {
  int status = 0;
  while (waitpid(thread->id, &status, __WALL) < 0) {
    if (errno == EINTR) continue;
    thread->id = 0;
    return;
  }
  if (!WIFSTOPPED(status)) {
    thread->id = 0;  // it ended
  } else if (status >> 16 != PTRACE_EVENT_STOP) {
    thread->pending_signal = WSTOPSIG(status);
  }
}

StoppedProcess::~StoppedProcess() {
  for (const Thread& thread : threads_) {
    ptrace(PTRACE_DETACH, thread.id, nullptr, static_cast<long>(thread.pending_signal));
  }
}

}  // namespace vigil::tools
