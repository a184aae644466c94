// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/isolation/seccomp_filter.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace vigil::tools {
namespace {

constexpr std::uint32_t kNumber = offsetof(seccomp_data, nr);
constexpr std::uint32_t kArchitecture = offsetof(seccomp_data, arch);
// The low half of an argument.
constexpr std::uint32_t argument(unsigned index) {
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + index * sizeof(std::uint64_t));
}

constexpr std::uint32_t kDeny = SECCOMP_RET_ERRNO | EPERM;

// Memory, files that are open, what a C library asks about itself, and the end.
constexpr int kHarmless[] = {
    SYS_read,
    SYS_pread64,
    SYS_readv,
    SYS_close,
    SYS_fstat,
    SYS_stat,
    SYS_lstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_fstatfs,
    SYS_statfs,
    SYS_lseek,
    SYS_readlink,
    SYS_readlinkat,
    SYS_access,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_getdents64,
    SYS_getcwd,
    SYS_fcntl,
    SYS_dup,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_brk,
    SYS_futex,
    SYS_sched_yield,
    SYS_getpid,
    SYS_gettid,
    SYS_getppid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_uname,
    SYS_sysinfo,
    SYS_getrandom,
    SYS_clock_gettime,
    SYS_gettimeofday,
    SYS_getrusage,
    SYS_getrlimit,
    SYS_setrlimit,
    SYS_prlimit64,
    SYS_rt_sigaction,
    SYS_rt_sigreturn,
    SYS_rt_sigprocmask,
    SYS_sigaltstack,
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_poll,
    SYS_tgkill,
    SYS_exit,
    SYS_exit_group,
    SYS_restart_syscall,
    SYS_sched_getaffinity,
    SYS_membarrier,
    SYS_rseq,
    SYS_set_robust_list,
};
constexpr int kTracing[] = {SYS_ptrace, SYS_wait4, SYS_process_vm_readv, SYS_kill};

class Program {
 public:
  Program() {
    load(kArchitecture);
    skip_next_if_equal(AUDIT_ARCH_X86_64);
    give(SECCOMP_RET_KILL_PROCESS);
  }

  void permit(int number) {
    load(kNumber);
    skip_next_unless_equal(static_cast<std::uint32_t>(number));
    give(SECCOMP_RET_ALLOW);
  }
  // Only if the argument has this value.
  void permit_with(int number, unsigned index, std::uint32_t value) {
    load(kNumber);
    jump(BPF_JEQ, static_cast<std::uint32_t>(number), 0, 3);
    load(argument(index));
    skip_next_unless_equal(value);
    give(SECCOMP_RET_ALLOW);
  }
  // Only if the argument has none of these bits.
  void permit_without(int number, unsigned index, std::uint32_t bits) {
    load(kNumber);
    jump(BPF_JEQ, static_cast<std::uint32_t>(number), 0, 3);
    load(argument(index));
    jump(BPF_JSET, bits, 1, 0);
    give(SECCOMP_RET_ALLOW);
  }
  bool install() {
    give(kDeny);
    const sock_fprog program = {static_cast<unsigned short>(code_.size()), code_.data()};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
  }

 private:
  void load(std::uint32_t offset) { code_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)); }
  void jump(int condition, std::uint32_t value, std::uint8_t if_true, std::uint8_t if_false) {
    code_.push_back(sock_filter{static_cast<std::uint16_t>(BPF_JMP | BPF_K | condition), if_true,
                                if_false, value});
  }
  void skip_next_if_equal(std::uint32_t value) { jump(BPF_JEQ, value, 1, 0); }
  void skip_next_unless_equal(std::uint32_t value) { jump(BPF_JEQ, value, 0, 1); }
  void give(std::uint32_t verdict) { code_.push_back(BPF_STMT(BPF_RET | BPF_K, verdict)); }

  std::vector<sock_filter> code_;
};

}  // namespace

bool permit_only_reading(int answers, bool may_trace) {
  constexpr std::uint32_t kWriting = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND;
  Program program;
  for (const int number : kHarmless) program.permit(number);
  program.permit_without(SYS_open, 1, kWriting);
  program.permit_without(SYS_openat, 2, kWriting);
  for (const int number : {SYS_write, SYS_writev, SYS_sendto, SYS_sendmsg, SYS_recvfrom}) {
    program.permit_with(number, 0, static_cast<std::uint32_t>(answers));
  }
  if (kIsSanitized) {  // which probes memory through a pipe, and reports
    for (const int number : {SYS_pipe, SYS_pipe2, SYS_write}) program.permit(number);
  }
  if (may_trace) {
    for (const int number : kTracing) program.permit(number);
  }
  return program.install();
}

}  // namespace vigil::tools
