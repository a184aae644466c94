// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/detector_proof.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

namespace vigil::tools::gate {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;

using Words = std::vector<std::string>;

Environment environment(std::map<std::string, std::string> variables = {}) {
  return [variables = std::move(variables)](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::string() : found->second;
  };
}

std::string this_program() { return std::filesystem::read_symlink("/proc/self/exe"); }

TEST(ProofOfCommandTest, GoTestWithRaceIsAProof) {
  EXPECT_THAT(proof_of_command({"go", "test", "-race", "./..."}, environment()),
              Optional<std::string>("the go command runs with -race"));
  EXPECT_TRUE(proof_of_command({"/usr/lib/go/bin/go", "test", "--race"}, environment()));
  EXPECT_TRUE(proof_of_command({"env", "X=1", "go", "test", "-race=true"}, environment()));
  EXPECT_TRUE(proof_of_command({"gotestsum", "--", "-race", "./..."}, environment()));
  EXPECT_TRUE(proof_of_command({"go", "test"}, environment({{"GOFLAGS", "-mod=mod -race"}})));
}

TEST(ProofOfCommandTest, AGoCommandWithoutTheDetectorIsNone) {
  for (const Words& words :
       {Words{"go", "test", "./..."}, Words{"go", "test", "-race", "-race=false"},
        Words{"go", "test", "-args", "-race"}, Words{"go", "vet", "-race"}, Words{"go"},
        Words{"go", "test", "-run", "race"}}) {
    EXPECT_EQ(proof_of_command(words, environment()), std::nullopt)
        << testing::PrintToString(words);
  }
}

TEST(ProofOfCommandTest, ValgrindsRaceToolsAreAProof) {
  EXPECT_TRUE(proof_of_command({"valgrind", "--tool=helgrind", "./x"}, environment()));
  EXPECT_TRUE(proof_of_command({"valgrind", "-q", "--tool=drd", "./x"}, environment()));
  EXPECT_FALSE(proof_of_command({"valgrind", "./x"}, environment()));
  EXPECT_FALSE(proof_of_command({"./x", "--tool=drd"}, environment()));
}

TEST(ProofOfCommandTest, AShellScriptIsNone) {
  EXPECT_EQ(proof_of_command({"sh", "-c", "true"}, environment({{"PATH", "/bin:/usr/bin"}})),
            std::nullopt);
}

TEST(ProofOfCommandTest, AProgramIsOneIfItIsCompiledWithThreadSanitizer) {
#if defined(__SANITIZE_THREAD__)
  const bool expected = true;
#else
  const bool expected = false;
#endif
  EXPECT_EQ(proof_of_command({"setarch", "-R", this_program()}, environment()).has_value(),
            expected);
}

TEST(InstrumentationTest, WhatIsNoReadableElfFileHasNone) {
  EXPECT_EQ(instrumentation_of("/nonexistent"), Instrumentation::kNone);
  EXPECT_EQ(instrumentation_of("/"), Instrumentation::kNone);
  EXPECT_EQ(instrumentation_of("/proc/self/status"), Instrumentation::kNone);
}

// Every length of a real file's beginning, in steps: none may crash the reader.
TEST(InstrumentationTest, ATruncatedElfFileHasNone) {
  std::ifstream program(this_program(), std::ios::binary);
  std::string bytes(4096, '\0');
  program.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  const std::string path = testing::TempDir() + "truncated_elf";
  for (std::size_t size = 0; size <= bytes.size(); size += 61) {
    std::ofstream(path, std::ios::binary) << bytes.substr(0, size);
    EXPECT_EQ(instrumentation_of(path), Instrumentation::kNone);
  }
  std::filesystem::remove(path);
}

TEST(SwitchedOffTest, TheLastOfTheOptionsCounts) {
  EXPECT_EQ(switched_off_by(environment()), std::nullopt);
  EXPECT_TRUE(switched_off_by(environment({{"TSAN_OPTIONS", "halt_on_error=1:report_bugs=0"}})));
  EXPECT_FALSE(switched_off_by(environment({{"TSAN_OPTIONS", "report_bugs=0 report_bugs=1"}})));
}

TEST(LogPathTest, FilesOfBothRuntimesAreFound) {
  EXPECT_THAT(log_paths_of(environment({{"TSAN_OPTIONS", "exitcode=0:log_path='/l/tsan'"},
                                        {"GORACE", "log_path=/l/go halt_on_error=1"}})),
              ElementsAre("/l/tsan", "/l/go"));
  EXPECT_THAT(log_paths_of(environment({{"TSAN_OPTIONS", "log_path=stderr"}})), IsEmpty());
}

}  // namespace
}  // namespace vigil::tools::gate
