// SPDX-License-Identifier: Apache-2.0
//
// The program `vigild`: configuration, the server, the demo.
#include <malloc.h>
#include <signal.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "vigil/apps/demo.h"
#include "vigil/apps/log_file.h"
#include "vigil/apps/ready_file.h"
#include "vigil/apps/service_manager.h"
#include "vigil/apps/supervisor.h"
#include "vigil/base/clock.h"
#include "vigil/base/standard_descriptors.h"
#include "vigil/base/version.h"
#include "vigil/server/config/config.h"
#include "vigil/server/durability/data_directory.h"
#include "vigil/server/http/session.h"
#include "vigil/server/server.h"
#include "vigil/thread_dump/thread_dump.h"

namespace {

using vigil::Result;
using vigil::apps::Demo;
using vigil::apps::LogFile;
using vigil::apps::ReadyFile;
using vigil::apps::ServiceManager;
using vigil::apps::Supervisor;
using vigil::server::Config;
using vigil::server::DataDirectory;
using vigil::server::Invocation;
using vigil::server::Server;
using vigil::server::ServerOptions;

constexpr int kClean = 0;
constexpr int kUsage = 2;
constexpr int kInternal = 3;

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

// The C library would keep large buffers of connections for reuse once one was freed.
void give_large_buffers_back() {
  constexpr int kBytes = 256 * 1024;
  static_cast<void>(::mallopt(M_MMAP_THRESHOLD, kBytes));
  static_cast<void>(::mallopt(M_TRIM_THRESHOLD, 4 * kBytes));
}

// Takes the data directory for this process, before anything else may touch it.
Result<std::unique_ptr<DataDirectory>> open_data(ServerOptions* options) {
  if (options->data_dir.empty()) return std::unique_ptr<DataDirectory>();
  return DataDirectory::open(options);
}

// Tells the world that the server serves. The file goes when the result does.
Result<std::unique_ptr<ReadyFile>> announce(const Server& server, const ServiceManager& manager,
                                            const std::string& data_dir) {
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
  manager.tell("READY=1\nSTATUS=serves RESP on " + resp + " and HTTP on " + http);
  return file;
}

Result<void> start(Server& server, Supervisor& supervisor) {
  server.state().faults.set_sink([](std::string_view line) { spdlog::error("{}", line); });
  // By the way of the signal, so that main ends too.
  server.state().stop_process = [asked = std::make_shared<std::atomic<bool>>(false)] {
    if (!asked->exchange(true)) ::kill(::getpid(), SIGTERM);  // a second one would end it at once
  };
  return server.start({
      .loaded = [&supervisor](const Result<void>& result) { supervisor.set_loaded(result); },
      .note = [](std::string_view line) { spdlog::info("{}", line); },
      .warning = [](std::string_view line) { spdlog::warn("{}", line); },
  });
}

int serve(Invocation& invocation) {
  Config& config = invocation.config;
  const ServiceManager manager = ServiceManager::from_environment();
  Supervisor::block_signals();
  give_large_buffers_back();
  std::shared_ptr<LogFile> log_file;
  if (const Result<void> started = start_log(config, &log_file); !started) {
    return fail(started.error().message);
  }
  // SIGQUIT and fatal errors print all threads; GET /debug/threads serves them.
  if (const Result<void> installed = vigil::install_thread_dump({}); !installed) {
    return fail(installed.error().message);
  }
  warn_about(config);
  const std::string effective_config = vigil::server::to_toml(config);
  Result<std::unique_ptr<DataDirectory>> data = open_data(&config.server);
  if (!data) return fail(data.error().message);
  if (*data != nullptr) vigil::begin_unix_ms_behind_wall_clock((*data)->wall_ahead_ms());

  Server server(config.server, vigil::server::http_sessions(effective_config), *std::move(data));
  Supervisor supervisor(server, manager, log_file.get());
  if (const Result<void> started = start(server, supervisor); !started) {
    return fail(started.error().message);
  }
  spdlog::info("vigild {} listens for RESP on {} and HTTP on {}, {} threads", vigil::version(),
               server.resp_address(), server.http_address(), server.state().options.threads);

  std::unique_ptr<ReadyFile> ready_file;
  std::unique_ptr<Demo> demo;
  if (const auto loaded = supervisor.await_loaded(); loaded) {
    if (!*loaded) return fail(loaded->error().message);
    auto announced = announce(server, manager, config.server.data_dir);
    if (!announced) return fail(announced.error().message);
    ready_file = *std::move(announced);
    if (invocation.demo) demo = std::make_unique<Demo>(server.state());
    supervisor.await_stop();
  }
  manager.tell("STOPPING=1\nSTATUS=drains");
  Supervisor::exit_on_next_stop_signal();
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
  vigil::open_standard_descriptors();
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "vigild: internal error: %s\n", error.what());
    return kInternal;
  }
}
