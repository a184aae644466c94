// SPDX-License-Identifier: Apache-2.0
//
// The program `vigild`: configuration, the server, the demo, signals.
#include <malloc.h>
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
#include "vigil/apps/ready_file.h"
#include "vigil/base/version.h"
#include "vigil/server/config/config.h"
#include "vigil/server/http/session.h"
#include "vigil/server/server.h"
#include "vigil/thread_dump/thread_dump.h"

namespace {

using vigil::Result;
using vigil::apps::Demo;
using vigil::apps::ReadyFile;
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

// Blocked before the first thread starts, so that all threads inherit it and await_stop() is the
// only place where they arrive.
void block_stop_signals() {
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);  // a peer that left is an error of its write
}

void await_stop() {
  const sigset_t signals = stop_signals();
  int received = 0;
  sigwait(&signals, &received);
  spdlog::info("{}: draining; once more ends at once", received == SIGINT ? "SIGINT" : "SIGTERM");
}

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
  if (!config.data_dir.empty()) {
    spdlog::warn("orders are kept in memory only; {} holds vigild.ready", config.data_dir);
  }
}

// The C library would keep large buffers of connections for reuse once one was freed.
void give_large_buffers_back() {
  constexpr int kBytes = 256 * 1024;
  static_cast<void>(::mallopt(M_MMAP_THRESHOLD, kBytes));
  static_cast<void>(::mallopt(M_TRIM_THRESHOLD, 4 * kBytes));
}

int serve(const Invocation& invocation) {
  const Config& config = invocation.config;
  block_stop_signals();
  give_large_buffers_back();
  start_log(config.log_level);
  // SIGQUIT and fatal errors print all threads; GET /debug/threads serves them.
  if (const Result<void> installed = vigil::install_thread_dump({}); !installed) {
    return fail(installed.error().message);
  }
  warn_about(config);

  Server server(config.server, vigil::server::http_sessions(vigil::server::to_toml(config)));
  server.state().faults.set_sink([](std::string_view line) { spdlog::error("{}", line); });
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
  await_stop();
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
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "vigild: internal error: %s\n", error.what());
    return kInternal;
  }
}
