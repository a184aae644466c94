// SPDX-License-Identifier: Apache-2.0
//
// The program `vigild`: configuration, the server, the demo, signals.
#include <signal.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <string_view>

#include "vigil/apps/demo.h"
#include "vigil/apps/log_file.h"
#include "vigil/apps/ready_file.h"
#include "vigil/apps/service_manager.h"
#include "vigil/base/standard_descriptors.h"
#include "vigil/base/version.h"
#include "vigil/server/config/config.h"
#include "vigil/server/http/session.h"
#include "vigil/server/server.h"
#include "vigil/thread_dump/thread_dump.h"

namespace {

using vigil::Result;
using vigil::apps::Demo;
using vigil::apps::LogFile;
using vigil::apps::ReadyFile;
using vigil::apps::ServiceManager;
using vigil::server::Config;
using vigil::server::Invocation;
using vigil::server::Server;

constexpr int kClean = 0;
constexpr int kUsage = 2;
constexpr int kInternal = 3;
constexpr int kInterrupted = 130;

int fail(const std::string& message) {
  std::fprintf(stderr, "vigild: %s\n", message.c_str());
  return kUsage;
}

// To the file, or to standard error; `file` is the file's sink, if there is one.
Result<void> start_log(const Config& config, std::shared_ptr<LogFile>* file) {
  std::shared_ptr<spdlog::logger> logger;
  if (config.log_file.empty()) {
    logger = spdlog::stderr_color_mt("vigild");
  } else {
    Result<std::shared_ptr<LogFile>> opened = LogFile::open(config.log_file);
    if (!opened) return vigil::Error{"server.log_file: " + opened.error().message};
    *file = *std::move(opened);
    logger = std::make_shared<spdlog::logger>("vigild", *file);
  }
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
  logger->set_level(spdlog::level::from_str(config.log_level));
  spdlog::set_default_logger(std::move(logger));
  return {};
}

sigset_t awaited_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  return signals;
}

// Blocked before the first thread starts, so that all threads inherit it and await_stop() is the
// only place where they arrive.
void block_awaited_signals() {
  const sigset_t signals = awaited_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);  // a peer that left is an error of its write
  signal(SIGUSR1, SIG_IGN);  // have no meaning here, and would end the process
  signal(SIGUSR2, SIG_IGN);
}

void reopen_log(LogFile* file) {
  if (file == nullptr) return spdlog::info("SIGHUP: the log goes to standard error, as before");
  if (const Result<void> done = file->reopen(); !done) {
    return spdlog::error("SIGHUP: {}", done.error().message);
  }
  spdlog::info("SIGHUP: the log goes on here");
}

// Returns when a signal says so; keeps the service manager's watchdog quiet meanwhile, as long as
// every reactor turns.
void await_stop(Server& server, const ServiceManager& manager, LogFile* log_file) {
  const sigset_t signals = awaited_signals();
  const std::int64_t interval_ms = manager.watchdog_interval_ms() / 2;
  const timespec interval{interval_ms / 1000, interval_ms % 1000 * 1'000'000};
  for (;;) {
    const int received = sigtimedwait(&signals, nullptr, interval_ms == 0 ? nullptr : &interval);
    if (received == SIGHUP) {
      reopen_log(log_file);
    } else if (received == SIGINT || received == SIGTERM) {
      const char* const name = received == SIGINT ? "SIGINT" : "SIGTERM";
      return spdlog::info("{}: draining; once more ends at once", name);
    } else if (interval_ms != 0 && server.reactors_turn()) {
      manager.tell("WATCHDOG=1");
    }
  }
}

// From now on a stop signal ends the process at once, whatever it waits for.
void exit_on_next_stop_signal() {
  struct sigaction action {};
  action.sa_handler = [](int) { _exit(kInterrupted); };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  const sigset_t signals = awaited_signals();
  signal(SIGHUP, SIG_IGN);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

void warn_about(const Config& config) {
  if (config.allow_unauthenticated && config.server.password.empty()) {
    spdlog::warn("no password is set: whoever reaches {} may read and write", config.server.bind);
  }
  if (!config.data_dir.empty()) {
    spdlog::warn("orders are kept in memory only; {} holds vigild.ready", config.data_dir);
  }
}

int serve(const Invocation& invocation) {
  const Config& config = invocation.config;
  const ServiceManager manager = ServiceManager::from_environment();
  block_awaited_signals();
  std::shared_ptr<LogFile> log_file;
  if (const Result<void> started = start_log(config, &log_file); !started) {
    return fail(started.error().message);
  }
  // SIGQUIT and fatal errors print all threads; GET /debug/threads serves them.
  if (const Result<void> installed = vigil::install_thread_dump({}); !installed) {
    return fail(installed.error().message);
  }
  warn_about(config);

  Server server(config.server, vigil::server::http_sessions(vigil::server::to_toml(config)));
  server.state().faults.set_sink([](std::string_view line) { spdlog::error("{}", line); });
  // By the way of the signal, so that main ends too.
  server.state().shut_down = [] { kill(getpid(), SIGTERM); };
  if (const Result<void> started = server.start(); !started) return fail(started.error().message);
  const std::string resp = server.resp_address();
  const std::string http = server.http_address();

  std::unique_ptr<ReadyFile> ready_file;
  if (!config.data_dir.empty()) {
    Result<std::unique_ptr<ReadyFile>> created = ReadyFile::create(config.data_dir, resp, http);
    if (!created) return fail(created.error().message);
    ready_file = *std::move(created);
  }
  std::printf("ready resp=%s http=%s\n", resp.c_str(), http.c_str());
  std::fflush(stdout);
  spdlog::info("vigild {} serves RESP on {} and HTTP on {}, {} threads", vigil::version(), resp,
               http, server.state().options.threads);

  std::unique_ptr<Demo> demo;
  if (invocation.demo) demo = std::make_unique<Demo>(server.state());
  manager.tell("READY=1\nSTATUS=serves RESP on " + resp + " and HTTP on " + http);
  await_stop(server, manager, log_file.get());
  manager.tell("STOPPING=1\nSTATUS=drains");
  exit_on_next_stop_signal();
  demo.reset();
  server.request_stop();
  server.wait();
  spdlog::info("stopped");
  return kClean;
}

int run(int argc, char** argv) {
  const Result<Invocation> invocation = vigil::server::parse_command_line(argc, argv);
  if (!invocation) return fail(invocation.error().message + "\nvigild --help lists the options");
  if (invocation->action == Invocation::Action::kServe) return serve(*invocation);
  std::fputs(invocation->text.c_str(), stdout);
  return kClean;
}

}  // namespace

int main(int argc, char** argv) {
  vigil::open_standard_descriptors();
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "vigild: internal error: %s\n", error.what());
    return kInternal;
  }
}
