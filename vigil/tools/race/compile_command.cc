// SPDX-License-Identifier: Apache-2.0
//
// `vigil race cc` and `vigil race cxx`: become the compiler.
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/tools/command.h"
#include "vigil/tools/race/compiler.h"
#include "vigil/tools/race/installation.h"
#include "vigil/tools/race/race_command.h"
#include "vigil/tools/terminal.h"

namespace vigil::tools::race {
namespace {

constexpr const char* kHelp = R"(Usage: vigil race %s [--compiler=COMPILER] ARGUMENTS

Runs the compiler with these arguments and those that instrument the code for the race runtime
and link programs with it. The compiler is COMPILER, else that of the environment variable %s,
else %s. Works as the compiler of make, autoconf and CMake:

Examples:
  vigil race cxx -std=c++20 -O1 a.cc b.cc -o program
  CC="vigil race cc" CXX="vigil race cxx" ./configure && make
  CC="vigil race cc" CXX="vigil race cxx" cmake -S . -B build-race
)";

struct Defaults {
  const char* command;
  const char* variable;
  const char* compiler;
};

Defaults defaults_of(Language language) {
  return language == Language::kC ? Defaults{"cc", "VIGIL_CC", "gcc"}
                                  : Defaults{"cxx", "VIGIL_CXX", "g++"};
}

// A file without a name that lasts as long as the compiler, whose driver inherits it.
std::string specs_file() {
  const int file = memfd_create("vigil-race-specs", 0);
  const auto size = static_cast<ssize_t>(kInstrumentingSpecs.size());
  if (file < 0 || write(file, kInstrumentingSpecs.data(), kInstrumentingSpecs.size()) != size) {
    return "";
  }
  return "/dev/fd/" + std::to_string(file);
}

// Replaces this process; returns only if that failed.
int become(std::vector<std::string> command) {
  std::vector<char*> arguments;
  for (std::string& argument : command) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  execvp(arguments.front(), arguments.data());
  complain("vigil race",
           "cannot run the compiler " + command.front() + ": " + std::strerror(errno));
  return kUsage;
}

int compile(Language language, std::span<const char* const> arguments) {
  const Defaults defaults = defaults_of(language);
  const std::string own_name = std::string("vigil race ") + defaults.command;
  std::vector<std::string> own(arguments.begin(), arguments.end());
  if (own.empty() || (own.size() == 1 && (own[0] == "--help" || own[0] == "-h"))) {
    std::fprintf(own.empty() ? stderr : stdout, kHelp, defaults.command, defaults.variable,
                 defaults.compiler);
    return own.empty() ? kUsage : kClean;
  }
  Toolchain toolchain;
  const char* const given = std::getenv(defaults.variable);
  toolchain.compiler = given != nullptr && *given != 0 ? given : defaults.compiler;
  static constexpr std::string_view kCompiler = "--compiler=";
  if (own.front().starts_with(kCompiler)) {
    toolchain.compiler = own.front().substr(kCompiler.size());
    own.erase(own.begin());
  }
  toolchain.family = family_of(toolchain.compiler);
  const CompilerSteps steps = compiler_steps(own);
  if (steps.makes_program && steps.is_static) {
    complain(own_name,
             "the race runtime stands between a program and its shared C library: link without "
             "-static");
    return kUsage;
  }
  if (steps.makes_program) {
    const Result<std::filesystem::path> runtime = find_runtime(own_program());
    if (!runtime) {
      complain(own_name, runtime.error());
      return kUsage;
    }
    toolchain.runtime = runtime->string();
  }
  if (steps.compiles && steps.links && toolchain.family == CompilerFamily::kGcc) {
    toolchain.specs = specs_file();
  }
  return become(instrumented_command(toolchain, own));
}

}  // namespace

int run_cc(std::span<const char* const> arguments) { return compile(Language::kC, arguments); }
int run_cxx(std::span<const char* const> arguments) { return compile(Language::kCxx, arguments); }

}  // namespace vigil::tools::race
