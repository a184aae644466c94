// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/isolation/isolated_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <optional>
#include <utility>

#include "vigil/tools/isolation/seccomp_filter.h"

namespace vigil::tools {
namespace {

using Clock = std::chrono::steady_clock;

// An allowance is raised by the process itself, as far as this.
constexpr rlim_t kCpuSecondsMax = 600;
constexpr std::uint64_t kBytesPerCpuSecond = std::uint64_t{32} << 20;

enum class Kind : std::uint8_t { kQuestion, kAnswer, kError };

struct Header {
  std::uint64_t size = 0;
  Kind kind = Kind::kQuestion;
};

// ---- Messages. False: the other side is gone, or the deadline has passed. ----

bool await(int socket, short events, const std::optional<Clock::time_point>& deadline) {
  for (;;) {
    int left_ms = -1;
    if (deadline) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now());
      if (left.count() <= 0) return false;
      left_ms = static_cast<int>(left.count());
    }
    pollfd waited = {socket, events, 0};
    const int ready = poll(&waited, 1, left_ms);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

bool send_bytes(int socket, const char* bytes, std::size_t size) {
  while (size != 0) {
    const ssize_t sent = send(socket, bytes, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes += sent;
    size -= static_cast<std::size_t>(sent);
  }
  return true;
}

bool send_message(int socket, Kind kind, std::string_view content) {
  const Header header = {content.size(), kind};
  return send_bytes(socket, reinterpret_cast<const char*>(&header), sizeof header) &&
         send_bytes(socket, content.data(), content.size());
}

bool receive_bytes(int socket, char* bytes, std::size_t size,
                   const std::optional<Clock::time_point>& deadline) {
  while (size != 0) {
    if (!await(socket, POLLIN, deadline)) return false;
    const ssize_t got = recv(socket, bytes, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    bytes += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

bool receive_message(int socket, std::uint64_t bytes_max,
                     const std::optional<Clock::time_point>& deadline, Kind* kind,
                     std::string* content) {
  constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
  Header header;
  if (!receive_bytes(socket, reinterpret_cast<char*>(&header), sizeof header, deadline) ||
      header.size > bytes_max || header.kind > Kind::kError) {
    return false;
  }
  *kind = header.kind;
  content->clear();
  // What is announced is believed only as it comes.
  while (content->size() < header.size) {
    const std::size_t done = content->size();
    content->resize(done + std::min<std::uint64_t>(kPieceBytes, header.size - done));
    if (!receive_bytes(socket, content->data() + done, content->size() - done, deadline)) {
      return false;
    }
  }
  return true;
}

// ---- The process. ----

void lower_limit(int resource, rlim_t soft, rlim_t hard) {
  rlimit limit = {};
  getrlimit(static_cast<__rlimit_resource>(resource), &limit);
  limit.rlim_max = std::min(limit.rlim_max, hard);
  limit.rlim_cur = std::min(soft, limit.rlim_max);
  setrlimit(static_cast<__rlimit_resource>(resource), &limit);
}

rlim_t cpu_seconds_used() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<rlim_t>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + 1;
}

void allow_cpu_seconds(rlim_t seconds) {
  rlimit limit = {};
  getrlimit(RLIMIT_CPU, &limit);
  limit.rlim_cur = std::min(cpu_seconds_used() + seconds, limit.rlim_max);
  setrlimit(RLIMIT_CPU, &limit);
}

void confine(int socket, const IsolationLimits& limits) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int signal : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGXCPU}) std::signal(signal, SIG_DFL);
  // elfutils would ask a server for what a foreign file names.
  unsetenv("DEBUGINFOD_URLS");
  lower_limit(RLIMIT_CORE, 0, 0);
  lower_limit(RLIMIT_FSIZE, 0, 0);
  lower_limit(RLIMIT_CPU, kCpuSecondsMax, kCpuSecondsMax);
  // A sanitizer reserves much more than it uses, and has to say what it found.
  if (!kIsSanitized) {
    lower_limit(RLIMIT_DATA, limits.memory_bytes, limits.memory_bytes);
    // Assertions of libraries are told by the signal.
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0) dup2(nowhere, STDERR_FILENO);
  }
  permit_only_reading(socket, limits.may_trace);
}

Result<std::string> answer_to(const IsolatedReader::Answer& answer, const std::string& question) {
  try {
    return answer(question);
  } catch (const std::exception& error) {
    return Error{error.what()};
  }
}

[[noreturn]] void serve(int socket, const IsolatedReader::Answer& answer,
                        const IsolationLimits& limits) {
  confine(socket, limits);
  Kind kind = Kind::kQuestion;
  std::string question;
  while (receive_message(socket, limits.answer_bytes, std::nullopt, &kind, &question)) {
    allow_cpu_seconds(limits.cpu_seconds);
    const Result<std::string> given = answer_to(answer, question);
    const bool is_sent = given ? send_message(socket, Kind::kAnswer, *given)
                               : send_message(socket, Kind::kError, given.error().message);
    if (!is_sent) break;
  }
  _exit(0);  // nothing of the caller is flushed or destroyed here
}

std::string signal_name(int signal) {
  const char* const name = sigabbrev_np(signal);
  return name == nullptr ? std::to_string(signal) : "SIG" + std::string(name);
}

}  // namespace

void allow_for_bytes(std::uint64_t bytes) {
  rlimit limit = {};
  getrlimit(RLIMIT_CPU, &limit);
  if (limit.rlim_cur == RLIM_INFINITY) return;  // not in such a process
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_cur + bytes / kBytesPerCpuSecond, limit.rlim_max);
  setrlimit(RLIMIT_CPU, &limit);
}

Result<IsolatedReader> IsolatedReader::start(const Answer& answer, IsolationLimits limits) {
  std::array<int, 2> ends = {};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return Error{std::string("cannot make a socket: ") + std::strerror(errno)};
  }
  const pid_t process = fork();
  if (process == 0) {
    close(ends[0]);
    serve(ends[1], answer, limits);
  }
  const int error = errno;
  close(ends[1]);
  if (process < 0) {
    close(ends[0]);
    return Error{std::string("cannot start a process: ") + std::strerror(error)};
  }
  return IsolatedReader(process, ends[0], limits);
}

IsolatedReader::IsolatedReader(IsolatedReader&& other) noexcept
    : process_(std::exchange(other.process_, -1)),
      socket_(std::exchange(other.socket_, -1)),
      limits_(other.limits_) {}

IsolatedReader::~IsolatedReader() {
  if (process_ > 0) static_cast<void>(end(""));
  if (socket_ >= 0) close(socket_);
}

Result<std::string> IsolatedReader::ask(std::string_view question) {
  if (!is_alive()) return Error{"its reader has ended"};
  const Clock::time_point deadline = Clock::now() + std::chrono::seconds(limits_.wall_seconds);
  Kind kind = Kind::kQuestion;
  std::string content;
  if (!send_message(socket_, Kind::kQuestion, question) ||
      !receive_message(socket_, limits_.answer_bytes, deadline, &kind, &content)) {
    return end(Clock::now() >= deadline
                   ? "was not read within " + std::to_string(limits_.wall_seconds) + " s"
                   : "");
  }
  if (kind == Kind::kError) return Error{content};
  return content;
}

Error IsolatedReader::end(std::string_view why_killed) {
  // If it is ending already, it stays known by what.
  kill(process_, SIGKILL);
  close(std::exchange(socket_, -1));
  int status = 0;
  while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
  if (!why_killed.empty()) return Error{std::string(why_killed)};
  if (!WIFSIGNALED(status)) {
    return Error{"its reader ended with code " + std::to_string(WEXITSTATUS(status)) +
                 ": the file is damaged or hostile"};
  }
  if (WTERMSIG(status) == SIGXCPU) {
    return Error{"its reader took too long: the file is damaged, hostile or too large"};
  }
  return Error{"its reader was ended by " + signal_name(WTERMSIG(status)) +
               ": the file is damaged or hostile"};
}

}  // namespace vigil::tools
