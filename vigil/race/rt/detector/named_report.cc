// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/detector/named_report.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "vigil/race/rt/raw/options.h"
#include "vigil/race/rt/raw/syscall.h"

namespace vigil::race {
namespace {

constexpr int kSuppressedStatus = 4;  // as tools/race/show_command.cc ends
constexpr int kNotStarted = 127;

// Text that grows at its end; what does not fit is left out.
class Line {
 public:
  Line& operator<<(const char* text) {
    for (; *text != 0 && length_ + 1 < sizeof text_; ++text) text_[length_++] = *text;
    return *this;
  }
  Line& operator<<(long number) {
    char digits[24];
    std::size_t at = sizeof digits - 1;
    digits[at] = 0;
    do {
      digits[--at] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    return *this << digits + at;
  }
  char* text() { return text_; }

 private:
  std::size_t length_ = 0;
  char text_[1100] = {};
};

// Where the report goes: standard error, or the file that TSAN_OPTIONS names.
long report_file(long process) {
  if (options().log[0] == 0) return STDERR_FILENO;
  Line path;
  path << options().log << "." << process;
  const long file =
      raw_syscall(SYS_open, path.text(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  return file < 0 ? STDERR_FILENO : file;
}

// In the child: becomes the tool.
[[noreturn]] void become_tool(long process, long records) {
  raw_syscall(SYS_dup2, report_file(process), STDOUT_FILENO);
  Line file;
  file << "/proc/" << process << "/fd/" << records;
  Line number;
  number << process;
  char race[] = "race";
  char show[] = "show";
  char latest[] = "--latest-of";
  char* const arguments[] = {
      const_cast<char*>(options().tool), race, show, latest, number.text(), file.text(), nullptr};
  raw_syscall(SYS_execve, options().tool, arguments, environ);
  raw_syscall(SYS_exit_group, kNotStarted);
  __builtin_trap();
}

}  // namespace

NamedReport print_named(long records) {
  const long process = raw_syscall(SYS_getpid);
  // A child that sends no signal at its end: the program shall not hear of it.
  const long child = raw_syscall(SYS_clone, 0, 0, 0, 0, 0);
  if (child == 0) become_tool(process, records);
  if (child < 0) return NamedReport::kFailed;
  int status = 0;
  while (raw_syscall(SYS_wait4, child, &status, __WALL, 0) == -EINTR) {
  }
  if (!WIFEXITED(status)) return NamedReport::kFailed;
  if (WEXITSTATUS(status) == kSuppressedStatus) return NamedReport::kSuppressed;
  return WEXITSTATUS(status) == 0 ? NamedReport::kPrinted : NamedReport::kFailed;
}

}  // namespace vigil::race
