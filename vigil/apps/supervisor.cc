// SPDX-License-Identifier: Apache-2.0
#include "vigil/apps/supervisor.h"

#include <poll.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace vigil::apps {

namespace {

constexpr int kInterrupted = 130;
constexpr int kLook_ms = 1000;

sigset_t awaited_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  return signals;
}

int open_signals() {
  const sigset_t signals = awaited_signals();
  return ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

}  // namespace

void Supervisor::block_signals() {
  const sigset_t signals = awaited_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);  // a peer that left is an error of its write
  signal(SIGUSR1, SIG_IGN);  // have no meaning here, and would end the process
  signal(SIGUSR2, SIG_IGN);
}

void Supervisor::exit_on_next_stop_signal() {
  struct sigaction action {};
  action.sa_handler = [](int) { _exit(kInterrupted); };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGHUP, SIG_IGN);
  const sigset_t signals = awaited_signals();
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

Supervisor::Supervisor(server::Server& server, const ServiceManager& manager, LogFile* log_file)
    : server_(server),
      manager_(manager),
      log_file_(log_file),
      signals_(open_signals()),
      loaded_(::eventfd(0, EFD_CLOEXEC)) {}

Supervisor::~Supervisor() {
  ::close(signals_);
  ::close(loaded_);
}

void Supervisor::set_loaded(Result<void> result) {
  result_ = std::move(result);
  const std::uint64_t one = 1;
  static_cast<void>(::write(loaded_, &one, sizeof(one)));  // it has room for one
}

std::optional<Result<void>> Supervisor::await_loaded() {
  if (await() == Event::kStop) return std::nullopt;
  return result_;
}

void Supervisor::await_stop() {
  while (await() != Event::kStop) {
  }
}

Supervisor::Event Supervisor::await() {
  const std::int64_t watchdog_ms = manager_.watchdog_interval_ms();
  const int look_ms = watchdog_ms == 0
                          ? kLook_ms
                          : static_cast<int>(std::min<std::int64_t>(watchdog_ms / 2, kLook_ms));
  std::array<pollfd, 2> waited = {{{signals_, POLLIN, 0}, {loaded_, POLLIN, 0}}};
  for (;;) {
    const int ready = ::poll(waited.data(), waited.size(), look_ms);
    if (ready < 0) continue;  // a signal that is not awaited
    if (ready == 0) look_around();
    if (waited[0].revents != 0 && stop_was_received()) return Event::kStop;
    if (waited[1].revents == 0) continue;
    std::uint64_t count = 0;
    static_cast<void>(::read(loaded_, &count, sizeof(count)));  // acquires result_
    return Event::kLoaded;
  }
}

void Supervisor::look_around() {
  if (manager_.watchdog_interval_ms() != 0 && server_.reactors_turn()) manager_.tell("WATCHDOG=1");
  server::ServerState& state = server_.state();
  const Result<void> noted = state.durability.note_wall_ahead(state.wall_clock.ahead_ms());
  if (!noted && !clock_warned_)
    spdlog::warn("a restart will not know the time: {}", noted.error().message);
  clock_warned_ = !noted;
}

bool Supervisor::stop_was_received() const {
  signalfd_siginfo received{};
  while (::read(signals_, &received, sizeof(received)) == sizeof(received)) {
    if (received.ssi_signo != SIGHUP) {
      const bool interrupt = received.ssi_signo == SIGINT;
      spdlog::info("{}: draining; once more ends at once", interrupt ? "SIGINT" : "SIGTERM");
      return true;
    }
    reopen_log();
  }
  return false;
}

void Supervisor::reopen_log() const {
  if (log_file_ == nullptr) {
    return spdlog::info("SIGHUP: the log goes to standard error, as before");
  }
  if (const Result<void> done = log_file_->reopen(); !done) {
    return spdlog::error("SIGHUP: {}", done.error().message);
  }
  spdlog::info("SIGHUP: the log goes on here");
}

}  // namespace vigil::apps
