// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/bench/bench_command.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "vigil/tools/bench/maps/maps_command.h"
#include "vigil/tools/command.h"
#include "vigil/tools/options/unknown_command.h"
#include "vigil/tools/terminal.h"

namespace vigil::tools {

namespace {

namespace fs = std::filesystem;

constexpr const char* kHelp = R"(Usage: vigil bench maps|server [OPTIONS]

maps     vigil's maps against the concurrent maps that the system packages: throughput of mixes,
         latency while growing, memory
server   runs redis-server, nginx and vigild in turn and prints one table of ratios; the options
         are those of scripts/bench_server.py

--help after the subject lists its options.

Examples:
  vigil bench maps --quick --json maps.json
  vigil bench server --quick
  vigil bench server --runs 5 --json server.json
)";

// Replaces this process by the command; returns only if that failed.
int execute(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments.front(), arguments.data());
  complain("vigil bench", "cannot run " + command.front() + ": " + std::strerror(errno));
  return kInternal;
}

int run_server(std::span<const char* const> arguments) {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const std::optional<fs::path> script = find_bench_script(program);
  if (!script) {
    complain("vigil bench server",
             "scripts/bench_server.py is in no folder above " + program.string() +
                 "; run it from the source tree: python3 scripts/bench_server.py --vigild " +
                 (program.parent_path() / "vigild").string());
    return kUsage;
  }
  return execute(bench_server_command(*script, program, arguments));
}

}  // namespace

std::optional<fs::path> find_bench_script(const fs::path& program) {
  for (fs::path folder = program.parent_path(); !folder.empty(); folder = folder.parent_path()) {
    const fs::path script = folder / "scripts" / "bench_server.py";
    std::error_code error;
    if (fs::is_regular_file(script, error)) return script;
    if (folder == folder.root_path()) break;
  }
  return std::nullopt;
}

std::vector<std::string> bench_server_command(const fs::path& script, const fs::path& program,
                                              std::span<const char* const> arguments) {
  std::vector<std::string> command = {"python3", script};
  const bool names_vigild = std::any_of(
      arguments.begin(), arguments.end(),
      [](const char* argument) { return std::string_view(argument).starts_with("--vigild"); });
  if (!names_vigild) {
    command.emplace_back("--vigild");
    command.emplace_back(program.parent_path() / "vigild");
  }
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

int run_bench(std::span<const char* const> arguments) {
  const std::string_view what = arguments.empty() ? "" : arguments.front();
  if (what == "maps") return run_bench_maps(arguments.subspan(1));
  if (what == "server") return run_server(arguments.subspan(1));
  const bool asked = what == "--help" || what == "-h";
  if (!asked && !what.empty()) {
    complain("vigil bench", unknown_command_text(what, {"maps", "server"}));
    std::fputs("`vigil bench --help` lists the commands: maps, server.\n", stderr);
    return kUsage;
  }
  std::fputs(kHelp, asked ? stdout : stderr);
  return asked ? kClean : kUsage;
}

}  // namespace vigil::tools
