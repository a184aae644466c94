// SPDX-License-Identifier: Apache-2.0
//
// Cores and programs that somebody made to break their reader.
#include "vigil/tools/core/isolated_evidence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "vigil/tools/core/testing/core_file.h"

namespace vigil::tools {
namespace {

namespace fs = std::filesystem;

using ::testing::HasSubstr;
using ::testing::SizeIs;

class IsolatedEvidenceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "isolated_evidence_test.XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& content) {
    const fs::path path = folder_ / name;
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  static std::string error_of(const Result<report::Evidence>& evidence) {
    return evidence ? "" : evidence.error().message;
  }

  fs::path folder_;
};

TEST_F(IsolatedEvidenceTest, IsTheEvidenceThatTheReaderGives) {
  const std::string core = write("core", testing_core::core_file(3, 4));
  const Result<report::Evidence> here = read_core_evidence(core, {});
  const Result<report::Evidence> apart = read_core_evidence_apart(core, {});
  ASSERT_TRUE(here) << error_of(here);
  ASSERT_TRUE(apart) << error_of(apart);
  EXPECT_EQ(*apart, *here);
  EXPECT_THAT(apart->threads, SizeIs(3));
  EXPECT_EQ(apart->threads[2].id, 1002);
}

// libelf remembers every piece of a core that was read, and libdwfl looks at every segment for each
// word: with both the square of the threads.
TEST_F(IsolatedEvidenceTest, ThousandsOfThreadsAreReadOneAfterTheOther) {
  constexpr std::size_t kThreads = 5000;
  constexpr int kFrames = 16;
  const std::string core = write("core", testing_core::core_file(kThreads, kFrames));
  const Result<report::Evidence> evidence = read_core_evidence_apart(core, {});
  ASSERT_TRUE(evidence) << error_of(evidence);
  ASSERT_THAT(evidence->threads, SizeIs(kThreads));
  for (const report::Thread& thread : evidence->threads) ASSERT_THAT(thread.stack, SizeIs(kFrames));
}

TEST_F(IsolatedEvidenceTest, ACoreWithoutThreadsIsNoEvidence) {
  EXPECT_THAT(error_of(read_core_evidence_apart(write("core", testing_core::core_file(0, 0)), {})),
              HasSubstr("no thread"));
}

TEST_F(IsolatedEvidenceTest, WhatIsNoProgramIsRefused) {
  const std::string core = write("core", testing_core::core_file(1, 2));
  EXPECT_THAT(error_of(read_core_evidence_apart(core, {write("text", "text")})),
              HasSubstr("is no program (no ELF file)"));
  EXPECT_THAT(error_of(read_core_evidence_apart(core, {folder_ / "none"})),
              HasSubstr("there is no file"));
  EXPECT_THAT(error_of(read_core_evidence_apart(core, {folder_})), HasSubstr("is no program"));
  EXPECT_THAT(error_of(read_core_evidence_apart(core, {"/dev/zero"})), HasSubstr("is no program"));
}

// An assertion of libdw met on the way would end the caller.
TEST_F(IsolatedEvidenceTest, AnObjectFileInThePlaceOfAProgramCostsOneAnswer) {
  const std::string program = folder_ / "program";
  fs::copy_file("/proc/self/exe", program);
  std::fstream file(program, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(offsetof(Elf64_Ehdr, e_type));
  file.put(ET_REL);
  file.close();
  const std::string core = write("core", testing_core::core_file(2, 3));
  static_cast<void>(read_core_evidence_apart(core, {program}));
  EXPECT_TRUE(read_core_evidence_apart(core, {}));
}

TEST_F(IsolatedEvidenceTest, DamagedCoresEndInEvidenceOrAnError) {
  const std::string whole = testing_core::core_file(4, 4);
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto below = [&](std::size_t end) { return random() % end; };
  constexpr int kRounds = 100;
  for (int round = 0; round < kRounds; ++round) {
    std::string damaged = whole;
    for (std::size_t changes = below(8) + 1; changes > 0; --changes) {
      damaged[below(std::min<std::size_t>(damaged.size(), 3000))] = static_cast<char>(random());
    }
    if (below(4) == 0) damaged.resize(below(damaged.size()));
    const Result<report::Evidence> evidence = read_core_evidence_apart(write("core", damaged), {});
    EXPECT_TRUE(evidence || !evidence.error().message.empty());
  }
}

TEST_F(IsolatedEvidenceTest, SaysWhyAProcessCannotBeLookedInto) {
  const pid_t zombie = fork();
  if (zombie == 0) _exit(0);
  siginfo_t state = {};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(zombie), &state, WEXITED | WNOWAIT), 0);
  EXPECT_THAT(error_of(read_process_evidence_apart(zombie)), HasSubstr("is a zombie"));
  waitpid(zombie, nullptr, 0);
  EXPECT_THAT(error_of(read_process_evidence_apart(zombie)), HasSubstr("there is no process"));
  constexpr pid_t kKernelThreads = 2;  // their parent
  if (!fs::exists("/proc/2/exe") && fs::exists("/proc/2")) {
    EXPECT_THAT(error_of(read_process_evidence_apart(kKernelThreads)),
                HasSubstr("is a thread of the kernel"));
  }
}

}  // namespace
}  // namespace vigil::tools
