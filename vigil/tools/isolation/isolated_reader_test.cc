// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/isolation/isolated_reader.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace vigil::tools {
namespace {

using ::testing::HasSubstr;

Result<std::string> echo(std::string_view question) { return "you said " + std::string(question); }

std::string error_of(const IsolatedReader::Answer& answer, IsolationLimits limits = {}) {
  Result<IsolatedReader> reader = IsolatedReader::start(answer, limits);
  if (!reader) return reader.error().message;
  const Result<std::string> given = reader->ask("");
  return given ? "answered: " + *given : given.error().message;
}

TEST(IsolatedReaderTest, AnswersEachQuestion) {
  Result<IsolatedReader> reader = IsolatedReader::start(echo);
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ(*reader->ask("a"), "you said a");
  const std::string large(3'000'000, 'x');
  EXPECT_EQ(*reader->ask(large), "you said " + large);
  EXPECT_EQ(*reader->ask(""), "you said ");
}

TEST(IsolatedReaderTest, ErrorsAndExceptionsAreAnswersToo) {
  Result<IsolatedReader> reader =
      IsolatedReader::start([](std::string_view question) -> Result<std::string> {
        if (question == "throw") throw std::runtime_error("thrown");
        return Error{"refused"};
      });
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->ask("x").error().message, "refused");
  EXPECT_EQ(reader->ask("throw").error().message, "thrown");
  EXPECT_TRUE(reader->is_alive());
}

#ifndef VIGIL_ISOLATION_SANITIZED

TEST(IsolatedReaderTest, AnAssertionAndACrashCostOneAnswer) {
  EXPECT_THAT(error_of([](std::string_view) -> Result<std::string> { std::abort(); }),
              HasSubstr("ended by SIGABRT: the file is damaged or hostile"));
  EXPECT_THAT(error_of([](std::string_view) -> Result<std::string> {
                std::raise(SIGSEGV);
                return std::string("x");
              }),
              HasSubstr("ended by SIGSEGV"));
  EXPECT_THAT(error_of([](std::string_view) -> Result<std::string> { _exit(7); }),
              HasSubstr("ended with code 7"));
}

TEST(IsolatedReaderTest, MemoryHasALimit) {
  IsolationLimits limits;
  limits.memory_bytes = std::uint64_t{64} << 20;
  EXPECT_EQ(error_of(
                [](std::string_view) -> Result<std::string> {
                  return std::string(std::size_t{256} << 20, 'x');
                },
                limits),
            "std::bad_alloc");
}

#endif

TEST(IsolatedReaderTest, OneThatEndedIsNotAskedAgain) {
  Result<IsolatedReader> reader =
      IsolatedReader::start([](std::string_view) -> Result<std::string> { _exit(0); });
  ASSERT_TRUE(reader);
  EXPECT_FALSE(reader->ask("x"));
  EXPECT_FALSE(reader->is_alive());
  EXPECT_FALSE(reader->ask("x"));
}

TEST(IsolatedReaderTest, ALoopEndsWithItsAllowanceOfTime) {
  IsolationLimits limits;
  limits.cpu_seconds = 1;
  EXPECT_THAT(error_of(
                  [](std::string_view) -> Result<std::string> {
                    for (std::atomic<unsigned> turns = 0;; ++turns) {
                    }
                  },
                  limits),
              HasSubstr("took too long"));
}

TEST(IsolatedReaderTest, WhoeverWaitsForNothingIsEnded) {
  IsolationLimits limits;
  limits.wall_seconds = 1;
  EXPECT_EQ(error_of(
                [](std::string_view) -> Result<std::string> {
                  for (;;) poll(nullptr, 0, -1);
                },
                limits),
            "was not read within 1 s");
}

TEST(IsolatedReaderTest, AnAnswerHasALimit) {
  IsolationLimits limits;
  limits.answer_bytes = 1000;
  EXPECT_THAT(
      error_of([](std::string_view) -> Result<std::string> { return std::string(1001, 'x'); },
               limits),
      HasSubstr("its reader"));
}

TEST(IsolatedReaderTest, FilesCanBeReadAndNothingElseBeDone) {
  const std::string file = ::testing::TempDir() + "isolated_reader_test";
  std::ofstream(file) << "content";
  const std::string made = file + ".made";
  Result<IsolatedReader> reader =
      IsolatedReader::start([&](std::string_view) -> Result<std::string> {
        std::ostringstream said;
        std::string content;
        std::ifstream(file) >> content;
        said << content;
        const auto try_it = [&said](const char* what, long result) {
          said << " " << what << ":" << (result < 0 ? strerrorname_np(errno) : "done");
        };
        try_it("create", open(made.c_str(), O_CREAT | O_WRONLY, 0600));
        try_it("write", open(file.c_str(), O_WRONLY));
        try_it("socket", socket(AF_INET, SOCK_STREAM, 0));
        try_it("remove", unlink(file.c_str()));
        try_it("mode", chmod(file.c_str(), 0777));
        try_it("fork", fork());
        try_it("execute", execl("/bin/true", "true", nullptr));
        try_it("kill", kill(getppid(), 0));
        return said.str();
      });
  ASSERT_TRUE(reader);
  const Result<std::string> said = reader->ask("");
  ASSERT_TRUE(said) << said.error().message;
  EXPECT_EQ(*said,
            "content create:EPERM write:EPERM socket:EPERM remove:EPERM mode:EPERM fork:EPERM "
            "execute:EPERM kill:EPERM");
  EXPECT_NE(access(made.c_str(), F_OK), 0);
  unlink(file.c_str());
}

}  // namespace
}  // namespace vigil::tools
