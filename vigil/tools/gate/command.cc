// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <optional>

namespace vigil::tools::gate {
namespace {

std::atomic<pid_t> child_to_stop = 0;

void pass_on(int signal) {
  const int saved = errno;
  if (const pid_t child = child_to_stop.load(); child > 0) kill(child, signal);
  errno = saved;
}

// While a command runs: Ctrl-C is the command's business, SIGTERM is passed on to it.
class SignalsForChild {
 public:
  SignalsForChild() {
    struct sigaction action = {};
    action.sa_handler = SIG_IGN;
    sigaction(SIGINT, &action, &old_int_);
    sigaction(SIGQUIT, &action, &old_quit_);
    action.sa_handler = pass_on;
    action.sa_flags = SA_RESTART;
    sigaction(SIGTERM, &action, &old_term_);
  }
  ~SignalsForChild() {
    child_to_stop.store(0);
    sigaction(SIGINT, &old_int_, nullptr);
    sigaction(SIGQUIT, &old_quit_, nullptr);
    sigaction(SIGTERM, &old_term_, nullptr);
  }
  SignalsForChild(const SignalsForChild&) = delete;
  SignalsForChild& operator=(const SignalsForChild&) = delete;

 private:
  struct sigaction old_int_ = {};
  struct sigaction old_quit_ = {};
  struct sigaction old_term_ = {};
};

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() { close_now(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  void reset(int number) {
    close_now();
    number_ = number;
  }
  void close_now() {
    if (number_ >= 0) close(number_);
    number_ = -1;
  }
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_ = -1;
};

Error system_error(std::string_view what) {
  return Error{std::string(what).append(": ").append(std::strerror(errno))};
}

bool write_all(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(to, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    // Nobody listens any more: the command decides what that means.
    if (written < 0) return errno == EPIPE;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// One of the command's two output streams.
struct Stream {
  Descriptor read_end;
  Descriptor write_end;
  int to = -1;
  const OnOutput* on_output = nullptr;
  std::optional<Error> error;  // what it said is not known to its end

  Result<void> open(int destination, const OnOutput& callback) {
    std::array<int, 2> ends = {};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return system_error("cannot make a pipe");
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    to = destination;
    on_output = &callback;
    return {};
  }

  // Passes on what is there.
  void drain() {
    std::array<char, 65536> buffer;
    while (read_end.number() >= 0) {
      const ssize_t got = read(read_end.number(), buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return;
      if (got < 0) error = system_error("cannot read what the command prints");
      if (got <= 0) {
        read_end.close_now();
        return;
      }
      const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
      if (!write_all(to, bytes) && !error) {
        error = system_error("cannot pass on what the command prints");
      }
      (*on_output)(bytes);
    }
  }
};

Result<pid_t> spawn(const std::vector<std::string>& arguments, const Stream& out,
                    const Stream& err) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out.write_end.number(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.write_end.number(), STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGINT);
  sigaddset(&defaults, SIGQUIT);
  sigaddset(&defaults, SIGTERM);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> words;
  for (const std::string& argument : arguments)
    words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  pid_t child = 0;
  const int error =
      posix_spawnp(&child, words.front(), &actions, &attributes, words.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return Error{"cannot run " + arguments.front() + ": " + std::strerror(error)};
  }
  return child;
}

// Until both streams end, or the command has ended and what it wrote is passed on.
Result<void> pump(Stream* out, Stream* err, int child_descriptor) {
  bool has_ended = false;
  while (!has_ended && (out->read_end.number() >= 0 || err->read_end.number() >= 0)) {
    std::array<pollfd, 3> waited = {pollfd{out->read_end.number(), POLLIN, 0},
                                    pollfd{err->read_end.number(), POLLIN, 0},
                                    pollfd{child_descriptor, POLLIN, 0}};
    if (poll(waited.data(), waited.size(), -1) < 0 && errno != EINTR) {
      return system_error("cannot wait for what the command prints");
    }
    has_ended = (waited[2].revents & POLLIN) != 0;
    out->drain();
    err->drain();
  }
  return {};
}

}  // namespace

Result<CommandResult> run_command(const std::vector<std::string>& arguments,
                                  const OnOutput& on_stdout, const OnOutput& on_stderr) {
  Stream out;
  Stream err;
  if (Result<void> opened = out.open(STDOUT_FILENO, on_stdout); !opened) return opened.error();
  if (Result<void> opened = err.open(STDERR_FILENO, on_stderr); !opened) return opened.error();
  const SignalsForChild signals;
  const Result<pid_t> child = spawn(arguments, out, err);
  if (!child) return child.error();
  child_to_stop.store(*child);
  out.write_end.close_now();
  err.write_end.close_now();
  const Descriptor child_descriptor(static_cast<int>(syscall(SYS_pidfd_open, *child, 0)));
  const Result<void> pumped = pump(&out, &err, child_descriptor.number());
  int status = 0;
  while (waitpid(*child, &status, 0) < 0) {
    if (errno != EINTR) return system_error("cannot wait for " + arguments.front());
  }
  out.drain();
  err.drain();
  if (!pumped) return pumped.error();
  if (out.error) return *out.error;
  if (err.error) return *err.error;
  if (WIFSIGNALED(status)) return CommandResult{128 + WTERMSIG(status), WTERMSIG(status)};
  return CommandResult{WEXITSTATUS(status), 0};
}

}  // namespace vigil::tools::gate
