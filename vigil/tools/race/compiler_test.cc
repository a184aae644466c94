// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace vigil::tools::race {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Arguments = std::vector<std::string>;

const Toolchain kGcc = {"g++", CompilerFamily::kGcc, "/lib/libvigil_race.a", "/dev/fd/9"};
const Toolchain kClang = {"clang++", CompilerFamily::kClang, "/lib/libvigil_race.a", ""};

Arguments command(const Toolchain& toolchain, const Arguments& arguments) {
  return instrumented_command(toolchain, arguments);
}

std::string steps(const Arguments& arguments) {
  const CompilerSteps steps = compiler_steps(arguments);
  return std::string(steps.compiles ? "compiles " : "") + (steps.links ? "links " : "") +
         (steps.makes_program ? "program" : "");
}

class ResponseFile {
 public:
  explicit ResponseFile(const std::string& text) : path_(::testing::TempDir() + "response.rsp") {
    std::ofstream(path_) << text;
  }
  ~ResponseFile() { std::filesystem::remove(path_); }
  ResponseFile(const ResponseFile&) = delete;
  ResponseFile& operator=(const ResponseFile&) = delete;
  std::string argument() const { return "@" + path_; }

 private:
  std::string path_;
};

TEST(CompilerTest, TheStepsAreThoseOfTheDriver) {
  EXPECT_EQ(steps({"a.cc"}), "compiles links program");
  EXPECT_EQ(steps({"-c", "a.cc", "-o", "a.o"}), "compiles ");
  EXPECT_EQ(steps({"-S", "a.cc"}), "compiles ");
  EXPECT_EQ(steps({"-E", "-"}), "compiles ");
  EXPECT_EQ(steps({"-MM", "a.c"}), "compiles ");
  EXPECT_EQ(steps({"-MMD", "-MF", "a.d", "-MT", "a.o", "a.c"}), "compiles links program");
  EXPECT_EQ(steps({"a.o", "libb.a", "-lm", "-o", "a"}), "links program");
  EXPECT_EQ(steps({"-shared", "a.o", "-o", "liba.so"}), "links ");
  EXPECT_EQ(steps({"-r", "a.o", "-o", "b.o"}), "links ");
  EXPECT_EQ(steps({"-x", "c", "-", "-o", "a"}), "compiles links program");
  EXPECT_EQ(steps({"-xc++", "strange.txt"}), "compiles links program");
  EXPECT_EQ(steps({"all.hpp", "-o", "all.hpp.gch"}), "compiles ");
}

TEST(CompilerTest, WhatNeitherCompilesNorLinksPassesThroughUnchanged) {
  for (const Arguments& arguments :
       {Arguments{"--version"}, Arguments{"-v"}, Arguments{"-dumpmachine"},
        Arguments{"-print-prog-name=ld"},
        Arguments{"-print-file-name=libc.so", "-fsanitize=thread"}, Arguments{"-###"}}) {
    Arguments expected = arguments;
    expected.insert(expected.begin(), "g++");
    EXPECT_EQ(command(kGcc, arguments), expected);
  }
}

TEST(CompilerTest, ValuesOfOptionsAreNoInputs) {
  EXPECT_EQ(steps({"-o", "a.c"}), "");
  EXPECT_EQ(steps({"-include", "config.h", "-I", "b.c", "-D", "X"}), "");
  EXPECT_EQ(steps({"-Xlinker", "a.o", "--param", "max.c"}), "");
}

TEST(CompilerTest, ACompilationIsInstrumentedAndNotLinked) {
  EXPECT_THAT(
      command(kClang, {"-c", "-O2", "-g1", "a.cc"}),
      ElementsAre("clang++", "-c", "-O2", "-g1", "a.cc", "-fsanitize=thread", "-U_FORTIFY_SOURCE"));
  const Arguments gcc = command(kGcc, {"-c", "a.cc"});
  EXPECT_THAT(gcc, Contains("-g"));
  EXPECT_THAT(gcc, Contains("-fno-builtin-memcpy"));
  EXPECT_THAT(gcc, Not(Contains(kGcc.runtime)));
}

TEST(CompilerTest, ALinkGetsTheRuntimeAndNeverTheCompilersOwn) {
  for (const Toolchain& toolchain : {kGcc, kClang}) {
    const Arguments linked =
        command(toolchain, {"-fsanitize=thread", "-static-libtsan", "a.o", "-o", "a"});
    EXPECT_THAT(linked, Contains(toolchain.runtime));
    EXPECT_THAT(linked, Not(Contains(HasSubstr("sanitize"))));
    EXPECT_THAT(linked, Not(Contains("-static-libtsan")));
  }
}

TEST(CompilerTest, CompilingAndLinkingAtOnceGoesPastTheDriver) {
  const Arguments gcc = command(kGcc, {"a.cc", "-o", "a"});
  EXPECT_THAT(gcc, Contains("-specs=/dev/fd/9"));
  EXPECT_THAT(gcc, Not(Contains("-fsanitize=thread")));
  EXPECT_THAT(gcc, Contains(kGcc.runtime));
  const Arguments clang = command(kClang, {"a.cc", "-o", "a"});
  const auto option = std::find(clang.begin(), clang.end(), "-fsanitize=thread");
  ASSERT_NE(option, clang.end());
  EXPECT_EQ(*(option - 1), "-Xclang");
}

TEST(CompilerTest, ASharedLibraryLeavesTheRuntimeToTheProgram) {
  const Arguments shared = command(kGcc, {"-shared", "-Wl,-z,defs", "a.o", "-o", "liba.so"});
  EXPECT_THAT(shared, Not(Contains(kGcc.runtime)));
  EXPECT_EQ(shared.back(), "-Wl,-z,undefs");
}

TEST(CompilerTest, OtherSanitizersOfTheUserStay) {
  EXPECT_THAT(command(kGcc, {"-c", "-fsanitize=thread,undefined", "a.c"}),
              Contains("-fsanitize=undefined"));
}

TEST(CompilerTest, AnXOptionOfTheUserDoesNotReachTheRuntime) {
  const Arguments linked = command(kGcc, {"-x", "c++", "a.txt"});
  const auto archive = std::find(linked.begin(), linked.end(), kGcc.runtime);
  const auto reset = std::find(linked.begin(), linked.end(), "none");
  ASSERT_NE(reset, linked.end());
  EXPECT_LT(reset - linked.begin(), archive - linked.begin());
}

TEST(CompilerTest, ResponseFilesAreReadAsTheCompilerReadsThem) {
  const ResponseFile file("-O2 'two words'\n\"a b\\\"c\" \\\n -c plain.cc ");
  EXPECT_THAT(
      expand_response_files({"-g", file.argument(), "@/none/such"}),
      ElementsAre("-g", "-O2", "two words", "a b\"c", "\n", "-c", "plain.cc", "@/none/such"));
  EXPECT_EQ(steps({file.argument()}), "compiles ");
}

TEST(CompilerTest, AResponseFileThatNamesTheSanitizerIsTakenApart) {
  const ResponseFile file("-fsanitize=thread a.o b.o");
  EXPECT_THAT(command(kGcc, {file.argument()}), Not(Contains(file.argument())));
  const ResponseFile harmless("a.o b.o");
  EXPECT_THAT(command(kGcc, {harmless.argument()}), Contains(harmless.argument()));
}

TEST(CompilerTest, AResponseFileThatNamesItselfEnds) {
  const ResponseFile file("@" + ::testing::TempDir() + "response.rsp x.cc");
  EXPECT_THAT(expand_response_files({file.argument()}), Contains("x.cc"));
}

TEST(CompilerTest, TheFamilyIsKnownByTheName) {
  EXPECT_EQ(family_of("clang++-19"), CompilerFamily::kClang);
  EXPECT_EQ(family_of("/usr/bin/g++"), CompilerFamily::kGcc);
  EXPECT_EQ(family_of("no-such-compiler"), CompilerFamily::kGcc);
}

}  // namespace
}  // namespace vigil::tools::race
