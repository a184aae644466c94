// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/compiler.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "vigil/base/files.h"
#include "vigil/tools/race/shell_words.h"

namespace vigil::tools::race {
namespace {

namespace fs = std::filesystem;

constexpr int kResponseDepthMax = 10;
constexpr int kResponseFilesMax = 2000;  // gcc's own limit

// Options whose value is the next argument, in gcc or clang.
constexpr std::array<std::string_view, 46> kTakesValue = {
    "-A",
    "-B",
    "-D",
    "-F",
    "-G",
    "-I",
    "-L",
    "-MF",
    "-MJ",
    "-MQ",
    "-MT",
    "-T",
    "-U",
    "-Xanalyzer",
    "-Xarch",
    "-Xassembler",
    "-Xclang",
    "-Xlinker",
    "-Xpreprocessor",
    "-arch",
    "-aux-info",
    "-dumpbase",
    "-dumpdir",
    "-e",
    "-idirafter",
    "-imacros",
    "-imultilib",
    "-include",
    "-include-pch",
    "-iprefix",
    "-iquote",
    "-isysroot",
    "-isystem",
    "-iwithprefix",
    "-iwithprefixbefore",
    "-l",
    "-mllvm",
    "-o",
    "-specs",
    "-target",
    "-u",
    "-wrapper",
    "-x",
    "-z",
    "--param",
    "--sysroot",
};

// What stops before the link step.
constexpr std::array<std::string_view, 11> kStopsEarly = {
    "-c",           "-S",        "-E",        "-M",           "-MM",       "-fsyntax-only",
    "--precompile", "-emit-ast", "--analyze", "--preprocess", "--compile",
};

template <std::size_t kSize>
bool among(const std::array<std::string_view, kSize>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

enum class Input { kNone, kSource, kHeader, kObject };

Input input_kind(std::string_view path) {
  static constexpr std::array<std::string_view, 17> kSources = {
      ".c", ".i", ".ii", ".cc", ".cp", ".cxx", ".cpp",  ".CPP", ".c++",
      ".C", ".s", ".S",  ".sx", ".m",  ".mm",  ".cppm", ".ixx"};
  static constexpr std::array<std::string_view, 9> kHeaders = {
      ".h", ".H", ".hh", ".hp", ".hxx", ".hpp", ".HPP", ".h++", ".tcc"};
  if (path == "-") return Input::kSource;
  const std::string extension = fs::path(path).extension().string();
  if (among(kSources, extension)) return Input::kSource;
  return among(kHeaders, extension) ? Input::kHeader : Input::kObject;
}

// The input that `argument` names when -x `language` is in force.
Input input_of(std::string_view argument, std::string_view language) {
  if (argument.starts_with("-l")) return Input::kObject;
  if (argument.empty() || (argument.front() == '-' && argument != "-")) return Input::kNone;
  if (language == "none" || language.empty()) return input_kind(argument);
  return language.ends_with("-header") ? Input::kHeader : Input::kSource;
}

bool sets_debug_level(std::string_view argument) {
  if (!argument.starts_with("-g")) return false;
  const std::string_view rest = argument.substr(2);
  return rest.empty() || std::isdigit(static_cast<unsigned char>(rest.front())) != 0 ||
         rest.starts_with("gdb") || rest.starts_with("dwarf") || rest.starts_with("line") ||
         rest.starts_with("mlt") || rest.starts_with("split") || rest == "-mlt";
}

// "-fsanitize=thread,undefined" -> "-fsanitize=undefined"; nothing is left of "-fsanitize=thread".
std::optional<std::string> without_thread_sanitizer(const std::string& argument) {
  static constexpr std::string_view kOption = "-fsanitize=";
  if (!argument.starts_with(kOption)) return argument;
  std::istringstream names(argument.substr(kOption.size()));
  std::string kept;
  for (std::string name; std::getline(names, name, ',');) {
    if (name != "thread") kept.append(kept.empty() ? "" : ",").append(name);
  }
  if (kept.empty()) return std::nullopt;
  return std::string(kOption) + kept;
}

// The user's arguments as the compiler shall see them. A response file is left whole unless the
// thread sanitizer is named in it: its content may be longer than a command line.
std::vector<std::string> cleaned(const std::vector<std::string>& arguments) {
  std::vector<std::string> result;
  for (const std::string& argument : arguments) {
    const std::vector<std::string> expanded = expand_response_files({argument});
    const bool sanitizes = std::any_of(expanded.begin(), expanded.end(), [](const auto& each) {
      return each.starts_with("-fsanitize=") || each == "-static-libtsan" || each == "-ltsan";
    });
    if (!sanitizes) {
      result.push_back(argument);
      continue;
    }
    for (const std::string& each : expanded) {
      if (each == "-static-libtsan" || each == "-static-libsan" || each == "-ltsan") continue;
      if (std::optional<std::string> kept = without_thread_sanitizer(each))
        result.push_back(std::move(*kept));
    }
  }
  return result;
}

void append(std::vector<std::string>* command, std::initializer_list<std::string_view> arguments) {
  command->insert(command->end(), arguments.begin(), arguments.end());
}

void add_compile_options(const Toolchain& toolchain, const CompilerSteps& steps,
                         std::vector<std::string>* command) {
  const bool gcc = toolchain.family == CompilerFamily::kGcc;
  if (!steps.has_debug_level) append(command, {"-g"});
  if (!steps.links) {
    append(command, {"-fsanitize=thread"});
  } else if (gcc) {
    append(command, {"-specs=" + toolchain.specs});
  } else {
    append(command, {"-Xclang", "-fsanitize=thread"});
  }
  // The checking variants of memcpy and its like would hide the accesses from the runtime.
  append(command, {"-U_FORTIFY_SOURCE"});
  // gcc expands small copies in place without telling the runtime; its warning that fences are not
  // understood is about its own runtime.
  if (gcc) {
    append(command,
           {"-fno-builtin-memcpy", "-fno-builtin-memmove", "-fno-builtin-memset", "-Wno-tsan"});
  }
}

void add_link_options(const Toolchain& toolchain, const CompilerSteps& steps,
                      std::vector<std::string>* command) {
  // A library finds the runtime in the program that loads it.
  if (steps.makes_library) append(command, {"-Wl,-z,undefs"});
  if (!steps.makes_program) return;
  // -rdynamic: for those libraries. -x none: an -x of the user's is about his own files.
  append(command, {"-x", "none", "-rdynamic", "-Wl,--whole-archive", toolchain.runtime,
                   "-Wl,--no-whole-archive", "-pthread", "-Wl,--push-state,--as-needed", "-ldl",
                   "-latomic", "-Wl,--pop-state"});
}

// Takes the response files apart until `files` of them were read.
void expand_into(const std::vector<std::string>& arguments, int depth, int* files,
                 std::vector<std::string>* result) {
  for (const std::string& argument : arguments) {
    if (argument.starts_with('@') && depth < kResponseDepthMax && *files < kResponseFilesMax) {
      // Not an error: gcc, too, takes the argument as it stands if it names no file.
      if (const Result<std::string> text = read_file(argument.substr(1))) {
        ++*files;
        expand_into(split_words(*text, Quoting::kResponseFile), depth + 1, files, result);
        continue;
      }
    }
    result->push_back(argument);
  }
}

}  // namespace

std::vector<std::string> expand_response_files(const std::vector<std::string>& arguments) {
  std::vector<std::string> result;
  int files = 0;
  expand_into(arguments, 0, &files, &result);
  return result;
}

CompilerSteps compiler_steps(const std::vector<std::string>& arguments) {
  const std::vector<std::string> expanded = expand_response_files(arguments);
  CompilerSteps steps;
  bool stops_early = false, shared = false, relocatable = false;
  bool sources = false, headers = false, objects = false;
  std::string language;
  for (std::size_t i = 0; i < expanded.size(); ++i) {
    const std::string& argument = expanded[i];
    if (sets_debug_level(argument)) steps.has_debug_level = true;
    if (among(kStopsEarly, argument)) stops_early = true;
    if (argument == "-shared") shared = true;
    if (argument == "-static" || argument == "-static-pie") steps.is_static = true;
    if (argument == "-r" || argument == "-Wl,-r") relocatable = true;
    if (argument.starts_with("-print-") || argument.starts_with("--print-")) return {};
    if (argument.starts_with("-x") && argument.size() > 2) language = argument.substr(2);
    if (among(kTakesValue, argument)) {
      if (argument == "-x" && i + 1 < expanded.size()) language = expanded[i + 1];
      if (argument == "-l") objects = true;
      ++i;
      continue;
    }
    switch (input_of(argument, language)) {
      case Input::kNone:
        break;
      case Input::kSource:
        sources = true;
        break;
      case Input::kHeader:
        headers = true;
        break;
      case Input::kObject:
        objects = true;
        break;
    }
  }
  // A header alone is precompiled.
  const bool precompiles = headers && !sources && !objects;
  steps.compiles = sources || headers;
  steps.links = !stops_early && !precompiles && (sources || objects);
  steps.makes_library = steps.links && shared;
  steps.makes_program = steps.links && !shared && !relocatable;
  return steps;
}

std::vector<std::string> instrumented_command(const Toolchain& toolchain,
                                              const std::vector<std::string>& arguments) {
  const CompilerSteps steps = compiler_steps(arguments);
  std::vector<std::string> command = {toolchain.compiler};
  const std::vector<std::string> own =
      steps.compiles || steps.links ? cleaned(arguments) : arguments;
  command.insert(command.end(), own.begin(), own.end());
  if (steps.compiles) add_compile_options(toolchain, steps, &command);
  if (steps.links) add_link_options(toolchain, steps, &command);
  return command;
}

CompilerFamily family_of(const std::string& compiler) {
  fs::path found = compiler;
  if (compiler.find('/') == std::string::npos) {
    const char* const path = std::getenv("PATH");
    std::istringstream folders(path == nullptr ? "/usr/bin" : path);
    for (std::string folder; std::getline(folders, folder, ':');) {
      if (access((fs::path(folder) / compiler).c_str(), X_OK) != 0) continue;
      found = fs::path(folder) / compiler;
      break;
    }
  }
  std::error_code error;
  const fs::path real = fs::canonical(found, error);
  const std::string name = compiler + " " + (error ? fs::path() : real).string();
  return name.find("clang") == std::string::npos ? CompilerFamily::kGcc : CompilerFamily::kClang;
}

}  // namespace vigil::tools::race
