// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/schedule.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>
#include <utility>

namespace vigil::tools::race {
namespace {

constexpr std::size_t kOutputMax = 64 << 10;

std::int64_t steady_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

Error system_error(std::string_view what) {
  return Error{std::string(what).append(": ").append(std::strerror(errno))};
}

// The processor for the slot-th of the programs that run at the same time; -1 if none is known.
int processor_of(unsigned slot) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof allowed, &allowed);
  const auto count = static_cast<unsigned>(std::max(1, CPU_COUNT(&allowed)));
  unsigned left = slot % count;
  for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
    if (CPU_ISSET(static_cast<std::size_t>(processor), &allowed) && left-- == 0) return processor;
  }
  return -1;
}

// The environment of this process with VIGIL_RACE_OPTIONS replaced.
class Environment {
 public:
  explicit Environment(std::string options) : options_("VIGIL_RACE_OPTIONS=" + std::move(options)) {
    for (char** each = environ; *each != nullptr; ++each) {
      if (!std::string_view(*each).starts_with("VIGIL_RACE_OPTIONS=")) pointers_.push_back(*each);
    }
    pointers_.push_back(options_.data());
    pointers_.push_back(nullptr);
  }
  char** get() { return pointers_.data(); }

 private:
  std::string options_;
  std::vector<char*> pointers_;
};

// What the child does between fork and exec. Everything that it needs was made before.
struct Child {
  char* const* arguments;
  char* const* environment;
  int output;  // -1: keep
  int input;   // -1: keep
  int failure;

  [[noreturn]] void run() const {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (output >= 0) {
      setpgid(0, 0);
      dup2(input, STDIN_FILENO);
      dup2(output, STDOUT_FILENO);
      dup2(output, STDERR_FILENO);
    }
    // Where a container forbids it, addresses differ from run to run and nothing else.
    const int before = personality(0xffffffff);
    if (before >= 0) personality(static_cast<unsigned long>(before) | ADDR_NO_RANDOMIZE);
    execvpe(arguments[0], arguments, environment);
    const int error = errno;
    [[maybe_unused]] const ssize_t written = write(failure, &error, sizeof error);
    _exit(127);
  }
};

// The error number that the child met, 0 if it became the program.
int failure_of(int pipe_end) {
  int error = 0;
  ssize_t got = 0;
  do {
    got = read(pipe_end, &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  return got == sizeof error ? error : 0;
}

}  // namespace

OwnedFile::OwnedFile(OwnedFile&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

OwnedFile& OwnedFile::operator=(OwnedFile&& other) noexcept {
  std::swap(file_, other.file_);
  return *this;
}

OwnedFile::~OwnedFile() {
  if (file_ >= 0) close(file_);
}

std::string OwnedFile::path() const {
  return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(file_);
}

std::string OwnedFile::content(std::size_t max) const {
  struct stat status {};
  if (file_ < 0 || fstat(file_, &status) != 0) return "";
  const auto size = static_cast<std::size_t>(status.st_size);
  std::string bytes(std::min(size, max), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto offset = static_cast<off_t>(size - bytes.size() + done);
    const ssize_t got = pread(file_, bytes.data() + done, bytes.size() - done, offset);
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

OwnedFile memory_file(std::string_view content) {
  OwnedFile file(memfd_create("vigil-race", MFD_CLOEXEC));
  while (file.is_open() && !content.empty()) {
    const ssize_t written = write(file.number(), content.data(), content.size());
    if (written <= 0) return OwnedFile();
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return file;
}

std::string runtime_options(const RaceOptions& options, std::uint64_t seed, bool record_events) {
  std::string text = "mode=" + options.mode + " seed=" + std::to_string(seed) +
                     " strategy=" + options.strategy + " depth=" + std::to_string(options.depth) +
                     " points=" + options.points + " time=" + options.time;
  if (options.max_points != 0) text += " max_points=" + std::to_string(options.max_points);
  if (options.lock_order) text += " lock_order=on";
  if (options.no_lock_misuse) text += " locks=0";
  if (record_events) text += " events=1";
  return text;
}

Result<ScheduleProcess> ScheduleProcess::start(const Launch& launch) {
  ScheduleProcess schedule;
  schedule.seed_ = launch.seed;
  schedule.launch_conflicts_ = launch.conflicts;
  schedule.own_group_ = !launch.pass_output;
  schedule.records_ = memory_file();
  if (!launch.pass_output) schedule.output_ = memory_file();
  std::string text = runtime_options(*launch.options, launch.seed, launch.record_events);
  text += " out=" + schedule.records_.path();
  // The program goes there by itself: it shall see all processors that it had.
  if (const int processor = processor_of(launch.slot); processor >= 0) {
    text += " processor=" + std::to_string(processor);
  }
  if (launch.decisions) {
    schedule.decisions_ = memory_file(*launch.decisions);
    text += " decisions=" + schedule.decisions_.path();
  }
  if (!launch.conflicts.empty()) {
    std::string lines = launch.conflicts + "\n";
    std::replace(lines.begin(), lines.end(), ',', '\n');
    schedule.conflicts_ = memory_file(lines);
    text += " conflicts=" + schedule.conflicts_.path();
  }
  Environment environment(std::move(text));
  std::vector<char*> arguments;
  for (const std::string& argument : launch.options->program)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const OwnedFile input(open("/dev/null", O_RDONLY | O_CLOEXEC));
  int failure[2] = {-1, -1};
  if (!schedule.records_.is_open() || pipe2(failure, O_CLOEXEC) != 0)
    return system_error("cannot make a file for the records");
  const OwnedFile read_end(failure[0]);
  OwnedFile write_end(failure[1]);
  const Child child = {arguments.data(), environment.get(), schedule.output_.number(),
                       input.number(), write_end.number()};
  schedule.process_ = fork();
  if (schedule.process_ < 0) return system_error("cannot start a process");
  if (schedule.process_ == 0) child.run();
  schedule.deadline_ms_ = steady_ms() + static_cast<std::int64_t>(launch.options->timeout_s) * 1000;
  schedule.process_file_ =
      OwnedFile(static_cast<int>(syscall(SYS_pidfd_open, schedule.process_, 0)));
  write_end = OwnedFile();
  if (const int error = failure_of(read_end.number()); error != 0) {
    errno = error;
    return system_error("cannot run " + launch.options->program.front());
  }
  return schedule;
}

ScheduleProcess::ScheduleProcess(ScheduleProcess&& other) noexcept
    : process_(std::exchange(other.process_, -1)),
      own_group_(other.own_group_),
      seed_(other.seed_),
      launch_conflicts_(std::move(other.launch_conflicts_)),
      deadline_ms_(other.deadline_ms_),
      process_file_(std::move(other.process_file_)),
      records_(std::move(other.records_)),
      output_(std::move(other.output_)),
      decisions_(std::move(other.decisions_)),
      conflicts_(std::move(other.conflicts_)) {}

ScheduleProcess::~ScheduleProcess() {
  if (process_ < 0) return;
  kill_all();
  waitpid(process_, nullptr, 0);
}

void ScheduleProcess::kill_all() const {
  if (own_group_) kill(-process_, SIGKILL);
  kill(process_, SIGKILL);
}

int ScheduleProcess::milliseconds_left() const {
  return static_cast<int>(std::clamp<std::int64_t>(deadline_ms_ - steady_ms(), 0, INT_MAX));
}

ScheduleOutcome ScheduleProcess::wait() {
  ScheduleOutcome outcome;
  outcome.seed = seed_;
  outcome.conflicts = launch_conflicts_;
  pollfd ended = {process_file_.number(), POLLIN, 0};
  int ready = 0;
  do {
    ready = poll(&ended, 1, milliseconds_left());
  } while (ready < 0 && errno == EINTR);
  outcome.timed_out = ready == 0;
  if (outcome.timed_out) kill_all();
  // Children that it left behind would go on writing. Until the wait its number is not given anew.
  if (own_group_) kill(-process_, SIGKILL);
  int status = 0;
  while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
  if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
  if (WIFEXITED(status)) outcome.exit_status = WEXITSTATUS(status);
  outcome.records = records_.content(SIZE_MAX);
  outcome.output = output_.content(kOutputMax);
  return outcome;
}

}  // namespace vigil::tools::race
