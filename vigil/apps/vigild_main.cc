// SPDX-License-Identifier: Apache-2.0
//
// The program `vigild`: configuration, the server, the demo, signals.
#include <poll.h>
#include <signal.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "vigil/apps/demo.h"
#include "vigil/apps/ready_file.h"
#include "vigil/base/version.h"
#include "vigil/server/config/config.h"
#include "vigil/server/durability/data_directory.h"
#include "vigil/server/http/session.h"
#include "vigil/server/server.h"
#include "vigil/thread_dump/thread_dump.h"

namespace {

using vigil::Result;
using vigil::apps::Demo;
using vigil::apps::ReadyFile;
using vigil::server::Config;
using vigil::server::DataDirectory;
using vigil::server::Invocation;
using vigil::server::Server;
using vigil::server::ServerOptions;

constexpr int kClean = 0;
constexpr int kUsage = 2;
constexpr int kInternal = 3;
constexpr int kInterrupted = 130;

int fail(const std::string& message) {
  std::fprintf(stderr, "vigild: %s\n", message.c_str());
  return kUsage;
}

void start_log(const std::string& level) {
  auto logger = spdlog::stderr_color_mt("vigild");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
  logger->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(std::move(logger));
}

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

// Blocked before the first thread starts, so that all threads inherit it and Events is the only
// place where they arrive.
void block_stop_signals() {
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);  // a peer that left is an error of its write
}

// What main waits for: the data was read, or a stop signal.
class Events {
 public:
  Events() {
    const sigset_t signals = stop_signals();
    signals_ = ::signalfd(-1, &signals, SFD_CLOEXEC);
    loaded_ = ::eventfd(0, EFD_CLOEXEC);
  }
  ~Events() {
    ::close(signals_);
    ::close(loaded_);
  }
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  // From any thread, once.
  void set_loaded(Result<void> result) {
    result_ = std::move(result);
    const std::uint64_t one = 1;
    static_cast<void>(::write(loaded_, &one, sizeof(one)));  // it has room for one
  }

  // The result of loading; nothing if a signal came first.
  [[nodiscard]] std::optional<Result<void>> await_loaded() {
    std::array<pollfd, 2> waited = {{{signals_, POLLIN, 0}, {loaded_, POLLIN, 0}}};
    while (::poll(waited.data(), waited.size(), -1) < 0) {
    }
    if (waited[0].revents != 0) return std::nullopt;
    std::uint64_t count = 0;
    static_cast<void>(::read(loaded_, &count, sizeof(count)));  // acquires result_
    return result_;
  }
  void await_stop() const {
    signalfd_siginfo received{};
    while (::read(signals_, &received, sizeof(received)) < 0) {
    }
    const bool interrupt = received.ssi_signo == SIGINT;
    spdlog::info("{}: draining; once more ends at once", interrupt ? "SIGINT" : "SIGTERM");
  }

 private:
  int signals_;
  int loaded_;
  Result<void> result_;
};

// From now on a stop signal ends the process at once, whatever it waits for.
void exit_on_next_stop_signal() {
  struct sigaction action {};
  action.sa_handler = [](int) { _exit(kInterrupted); };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

void warn_about(const Config& config) {
  if (config.allow_unauthenticated && config.server.password.empty()) {
    spdlog::warn("no password is set: whoever reaches {} may read and write", config.server.bind);
  }
  if (config.server.data_dir.empty()) {
    spdlog::warn("everything is kept in memory only; --data-dir DIR keeps it");
  } else if (config.server.durability.mode == "off") {
    spdlog::warn("everything is kept in memory only: durability.mode is off");
  }
}

// Takes the data directory for this process, before anything else may touch it.
Result<std::unique_ptr<DataDirectory>> open_data(ServerOptions* options) {
  if (options->data_dir.empty()) return std::unique_ptr<DataDirectory>();
  return DataDirectory::open(options);
}

// Tells the world that the server serves. The file goes when the result does.
Result<std::unique_ptr<ReadyFile>> announce(const Server& server, const std::string& data_dir) {
  const std::string resp = server.resp_address();
  const std::string http = server.http_address();
  std::unique_ptr<ReadyFile> file;
  if (!data_dir.empty()) {
    Result<std::unique_ptr<ReadyFile>> created = ReadyFile::create(data_dir, resp, http);
    if (!created) return created.error();
    file = *std::move(created);
  }
  std::printf("ready resp=%s http=%s\n", resp.c_str(), http.c_str());
  std::fflush(stdout);
  return file;
}

int serve(Invocation& invocation) {
  Config& config = invocation.config;
  block_stop_signals();
  start_log(config.log_level);
  // SIGQUIT and fatal errors print all threads; GET /debug/threads serves them.
  if (const Result<void> installed = vigil::install_thread_dump({}); !installed) {
    return fail(installed.error().message);
  }
  warn_about(config);
  const std::string effective_config = vigil::server::to_toml(config);
  Result<std::unique_ptr<DataDirectory>> data = open_data(&config.server);
  if (!data) return fail(data.error().message);

  Events events;
  Server server(config.server, vigil::server::http_sessions(effective_config), *std::move(data));
  server.state().faults.set_sink([](std::string_view line) { spdlog::error("{}", line); });
  server.state().stop_process = [asked = std::make_shared<std::atomic<bool>>(false)] {
    if (!asked->exchange(true)) ::kill(::getpid(), SIGTERM);  // a second one would end it at once
  };
  const Result<void> started = server.start({
      .loaded = [&events](const Result<void>& result) { events.set_loaded(result); },
      .note = [](std::string_view line) { spdlog::info("{}", line); },
      .warning = [](std::string_view line) { spdlog::warn("{}", line); },
  });
  if (!started) return fail(started.error().message);
  spdlog::info("vigild {} listens for RESP on {} and HTTP on {}, {} threads", vigil::version(),
               server.resp_address(), server.http_address(), server.state().options.threads);

  std::unique_ptr<ReadyFile> ready_file;
  std::unique_ptr<Demo> demo;
  if (const auto loaded = events.await_loaded(); loaded) {
    if (!*loaded) return fail(loaded->error().message);
    auto announced = announce(server, config.server.data_dir);
    if (!announced) return fail(announced.error().message);
    ready_file = *std::move(announced);
    if (invocation.demo) demo = std::make_unique<Demo>(server.state());
  }
  events.await_stop();
  exit_on_next_stop_signal();
  demo.reset();
  server.request_stop();
  server.wait();
  spdlog::info("stopped");
  return kClean;
}

int run(int argc, char** argv) {
  Result<Invocation> invocation = vigil::server::parse_command_line(argc, argv);
  if (!invocation) return fail(invocation.error().message + "\nvigild --help lists the options");
  if (invocation->action == Invocation::Action::kServe) return serve(*invocation);
  std::fputs(invocation->text.c_str(), stdout);
  return kClean;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "vigild: internal error: %s\n", error.what());
    return kInternal;
  }
}
