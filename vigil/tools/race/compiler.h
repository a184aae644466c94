// SPDX-License-Identifier: Apache-2.0
//
// `vigil race cc` and `vigil race cxx`: what a compiler must be told so that a program is
// instrumented for the race runtime and linked with it. The arguments of gcc and clang go in,
// the complete command line comes out.
//
// How: the compiler proper gets -fsanitize=thread, but the driver's link step must not see it, or
// it would link the compiler's own runtime. A command that only compiles gets the plain option; one
// that compiles and links gets it past the driver (clang: -Xclang; gcc: a specs file).
//
// Thread safety: pure functions. Errors: a response file that cannot be read stays as it is; the
// compiler will say so.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::tools::race {

enum class Language { kC, kCxx };
enum class CompilerFamily { kGcc, kClang };

// What the driver will do with a command line.
struct CompilerSteps {
  bool compiles = false;         // turns sources into objects (or assembler text)
  bool links = false;            // makes a program, a shared library or, with -r, an object
  bool makes_program = false;    // the first of them
  bool makes_library = false;    // the second
  bool is_static = false;        // -static or -static-pie
  bool has_debug_level = false;  // says something about -g
};

// The content of gcc's specs file that makes cc1 and cc1plus instrument.
inline constexpr std::string_view kInstrumentingSpecs = "*cc1:\n+ -fsanitize=thread\n";

struct Toolchain {
  std::string compiler = "g++";
  CompilerFamily family = CompilerFamily::kGcc;
  std::string runtime;  // libvigil_race.a
  std::string specs;    // a file that holds kInstrumentingSpecs
};

// With the response files (@file) among `arguments` expanded.
[[nodiscard]] CompilerSteps compiler_steps(const std::vector<std::string>& arguments);

// The command to run: the compiler, its arguments without the thread sanitizer's, and what
// instruments and links. Arguments that neither compile nor link (--version) stay as they are.
[[nodiscard]] std::vector<std::string> instrumented_command(
    const Toolchain& toolchain, const std::vector<std::string>& arguments);

// Replaces each response file by what it holds, as gcc would; at most 10 deep.
[[nodiscard]] std::vector<std::string> expand_response_files(
    const std::vector<std::string>& arguments);

// By the name behind the links (c++ -> g++-12).
[[nodiscard]] CompilerFamily family_of(const std::string& compiler);

}  // namespace vigil::tools::race
