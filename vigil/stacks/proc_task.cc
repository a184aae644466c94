// SPDX-License-Identifier: Apache-2.0
#include "vigil/stacks/proc_task.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace vigil::stacks {

namespace {

// "/proc/self/task/4242/comm"
class TaskPath {
 public:
  TaskPath(pid_t thread, std::string_view file) {
    constexpr std::string_view kFolder = "/proc/self/task/";
    char* at = std::copy(kFolder.begin(), kFolder.end(), text_.data());
    at = std::to_chars(at, text_.data() + 40, thread).ptr;
    *at++ = '/';
    at = std::copy(file.begin(), file.end(), at);
    *at = '\0';
  }
  [[nodiscard]] const char* text() const { return text_.data(); }

 private:
  std::array<char, 64> text_;
};

template <std::size_t kSize>
void copy_word(std::string_view text, std::array<char, kSize>* out) {
  text = text.substr(0, std::min(text.find('\n'), kSize - 1));
  std::copy(text.begin(), text.end(), out->begin());
}

// The number after `label` in text such as "SigBlk:\t0000000000004000".
std::uint64_t hex_after(std::string_view text, std::string_view label) {
  const std::size_t at = text.find(label);
  std::uint64_t number = 0;
  if (at == std::string_view::npos) return 0;
  const char* begin = text.data() + at + label.size();
  std::from_chars(begin, text.data() + text.size(), number, 16);
  return number;
}

// "202 0x7f.. 0x80 ... SP PC", or "running".
void parse_syscall(std::string_view text, TaskFacts* facts) {
  const char* end = text.data() + text.size();
  if (std::from_chars(text.data(), end, facts->syscall).ec != std::errc()) return;
  const std::size_t last = text.rfind(" 0x");
  if (last == std::string_view::npos) return;
  std::from_chars(text.data() + last + 3, end, facts->pc, 16);
}

// The layout that getdents64() fills in.
struct DirectoryEntry {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t size;
  unsigned char type;
  char name[1];
};

}  // namespace

std::string_view read_small_file(const char* path, std::span<char> buffer) {
  const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return {};
  std::size_t size = 0;
  while (size < buffer.size()) {
    const ssize_t got = read(descriptor, buffer.data() + size, buffer.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  close(descriptor);
  return {buffer.data(), size};
}

std::size_t list_threads(std::span<pid_t> ids) {
  const int descriptor = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return 0;
  std::size_t count = 0;
  alignas(DirectoryEntry) std::array<char, 4096> buffer;
  for (;;) {
    const long got = syscall(SYS_getdents64, descriptor, buffer.data(), buffer.size());
    if (got <= 0) break;
    for (long at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const DirectoryEntry*>(buffer.data() + at);
      at += entry->size;
      pid_t id = 0;
      const char* name = entry->name;
      const auto parsed = std::from_chars(name, name + std::strlen(name), id);
      if (parsed.ec == std::errc() && count < ids.size()) ids[count++] = id;
    }
  }
  close(descriptor);
  return count;
}

bool read_task_facts(pid_t thread, TaskFacts* facts) {
  std::array<char, 2048> buffer;
  *facts = {};
  facts->thread = thread;
  const std::string_view status = read_small_file(TaskPath(thread, "status").text(), buffer);
  const std::size_t state = status.find("State:\t");
  if (state == std::string_view::npos || state + 7 >= status.size()) return false;
  facts->state = status[state + 7];
  facts->blocked_signals = hex_after(status, "SigBlk:\t");
  copy_word(read_small_file(TaskPath(thread, "comm").text(), buffer), &facts->name);
  parse_syscall(read_small_file(TaskPath(thread, "syscall").text(), buffer), facts);
  const std::string_view channel = read_small_file(TaskPath(thread, "wchan").text(), buffer);
  if (channel != "0") copy_word(channel, &facts->wait_channel);
  return true;
}

std::string_view syscall_name(long number) {
  struct Name {
    long number;
    std::string_view name;
  };
  static constexpr Name kNames[] = {
      {SYS_futex, "futex"},
      {SYS_epoll_wait, "epoll_wait"},
      {SYS_epoll_pwait, "epoll_wait"},
      {SYS_poll, "poll"},
      {SYS_ppoll, "poll"},
      {SYS_select, "select"},
      {SYS_pselect6, "select"},
      {SYS_nanosleep, "nanosleep"},
      {SYS_clock_nanosleep, "clock_nanosleep"},
      {SYS_read, "read"},
      {SYS_readv, "read"},
      {SYS_pread64, "read"},
      {SYS_write, "write"},
      {SYS_writev, "write"},
      {SYS_pwrite64, "write"},
      {SYS_fsync, "fsync"},
      {SYS_fdatasync, "fdatasync"},
      {SYS_recvfrom, "recv"},
      {SYS_recvmsg, "recv"},
      {SYS_sendto, "send"},
      {SYS_sendmsg, "send"},
      {SYS_accept, "accept"},
      {SYS_accept4, "accept"},
      {SYS_connect, "connect"},
      {SYS_wait4, "wait"},
      {SYS_waitid, "wait"},
      {SYS_pause, "pause"},
      {SYS_flock, "flock"},
      {SYS_rt_sigtimedwait, "sigwait"},
      {SYS_rt_sigsuspend, "sigsuspend"},
      {SYS_io_uring_enter, "io_uring_enter"},
      {SYS_sched_yield, "sched_yield"},
  };
  for (const Name& known : kNames) {
    if (known.number == number) return known.name;
  }
  return {};
}

}  // namespace vigil::stacks
