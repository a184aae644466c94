// SPDX-License-Identifier: Apache-2.0
//
// Looks into testing/crowd.cc, which the test compiles, starts and lets gdb write cores of.
#include "vigil/tools/core/core_evidence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace vigil::tools {
namespace {

using report::Evidence;
using report::Finding;
using report::Kind;
using report::Operation;
using testing::HasSubstr;

constexpr std::size_t kThreads = 200;
constexpr const char* kGcc = "g++ -g -O2";
constexpr const char* kGccPlain = "g++ -g -O0";
constexpr const char* kClang = "clang++ -g -O2";

bool run(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

// A running crowd.
class Crowd {
 public:
  explicit Crowd(const std::string& program) {
    int ends[2];
    if (pipe(ends) != 0) return;
    process_ = fork();
    if (process_ == 0) {
      const rlimit small_stacks = {256 << 10, RLIM_INFINITY};  // for small cores
      setrlimit(RLIMIT_STACK, &small_stacks);
      dup2(ends[1], STDOUT_FILENO);
      execl(program.c_str(), "crowd", "wait", nullptr);
      _exit(127);
    }
    close(ends[1]);
    char word[6] = {};
    is_ready_ = read(ends[0], word, 5) == 5;
    close(ends[0]);
  }
  ~Crowd() {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  [[nodiscard]] pid_t process() const { return process_; }
  [[nodiscard]] bool is_ready() const { return is_ready_; }

  // "S (sleeping)"
  [[nodiscard]] std::string status(const std::string& field) const {
    std::ifstream file("/proc/" + std::to_string(process_) + "/status");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with(field + ":\t")) return line.substr(field.size() + 2);
    }
    return "";
  }

 private:
  pid_t process_ = -1;
  bool is_ready_ = false;
};

// Programs and cores, made when a test first asks for them.
class Workshop : public testing::Environment {
 public:
  void SetUp() override {
    folder_ = testing::TempDir() + "core_evidence_test_" + std::to_string(getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }

  std::string program(const std::string& compiler) {
    const auto [entry, is_new] = programs_.try_emplace(compiler);
    if (is_new) {
      entry->second = path("crowd" + std::to_string(programs_.size()));
      EXPECT_TRUE(
          run(compiler + " -std=c++20 -pthread -o " + entry->second + " " + VIGIL_CROWD_SOURCE));
    }
    return entry->second;
  }

  std::string core(const std::string& compiler) {
    const auto [entry, is_new] = cores_.try_emplace(compiler);
    if (!is_new) return entry->second;
    entry->second = program(compiler) + ".core";
    const Crowd crowd(program(compiler));
    EXPECT_TRUE(crowd.is_ready());
    EXPECT_TRUE(run("gdb -nx -batch -p " + std::to_string(crowd.process()) + " -ex 'gcore " +
                    entry->second + "'"));
    return entry->second;
  }

 private:
  std::string folder_;
  std::map<std::string, std::string> programs_;
  std::map<std::string, std::string> cores_;
};

Workshop& workshop() {
  static auto* const environment = new Workshop;  // GoogleTest deletes it
  return *environment;
}

testing::Environment* const kRegistered = testing::AddGlobalTestEnvironment(&workshop());

const Finding* finding_on(const Evidence& evidence, const std::string& object) {
  const auto found =
      std::find_if(evidence.findings.begin(), evidence.findings.end(),
                   [&](const Finding& finding) { return finding.location.object == object; });
  return found == evidence.findings.end() ? nullptr : &*found;
}

std::string all_warnings(const Evidence& evidence) {
  std::string text;
  for (const std::string& warning : evidence.warnings) text += warning + "\n";
  return text;
}

bool has_function(const report::Stack& stack, const std::string& name, bool inlined) {
  return std::any_of(stack.begin(), stack.end(), [&](const report::Frame& frame) {
    return frame.function == name && frame.inlined == inlined && frame.line > 0;
  });
}

std::size_t count_operations(const Finding& finding, Operation operation) {
  return static_cast<std::size_t>(
      std::count_if(finding.accesses.begin(), finding.accesses.end(),
                    [&](const report::Access& access) { return access.operation == operation; }));
}

// What the crowd does, as far as the compiler kept it.
void expect_collisions(const Evidence& evidence, bool is_proven) {
  EXPECT_EQ(evidence.threads.size(), kThreads);
  const Finding* prices = finding_on(evidence, "shop::server.prices");
  ASSERT_NE(prices, nullptr) << all_warnings(evidence);
  EXPECT_EQ(prices->kind, Kind::kMapWrites);
  EXPECT_EQ(prices->location.kind, report::Location::Kind::kGlobal);
  EXPECT_THAT(prices->location.type, testing::StartsWith("std::unordered_map<"));
  ASSERT_EQ(prices->accesses.size(), 3u);
  EXPECT_EQ(count_operations(*prices, Operation::kMapWrite), 2u);
  EXPECT_EQ(count_operations(*prices, Operation::kMapRead), 1u);
  for (const report::Access& access : prices->accesses) {
    EXPECT_EQ(access.address, is_proven ? prices->location.address : 0);
  }
  EXPECT_TRUE(has_function(prices->accesses[0].stack, "shop::set_price", false));
  // Two readers of one map are no collision.
  EXPECT_EQ(finding_on(evidence, "shop::rates"), nullptr);
}

void expect_member_collision(const Evidence& evidence) {
  const Finding* entries = finding_on(evidence, "shop::Cache.entries_");
  ASSERT_NE(entries, nullptr) << all_warnings(evidence);
  EXPECT_EQ(entries->kind, Kind::kMapReadAndWrite);
  EXPECT_EQ(entries->location.kind, report::Location::Kind::kHeap);
  ASSERT_EQ(entries->accesses.size(), 2u);
  EXPECT_EQ(entries->accesses[0].operation, Operation::kMapErase);
  EXPECT_EQ(entries->accesses[1].operation, Operation::kMapRead);
  EXPECT_EQ(entries->accesses[0].address, entries->accesses[1].address);
  EXPECT_NE(entries->accesses[0].address, 0u);
}

std::string head_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string head(4096, '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(file.gcount()));
  return head;
}

TEST(ProcessEvidenceTest, NamesTheMapsAndLeavesTheProcessAsItWas) {
  const Crowd crowd(workshop().program(kGcc));
  ASSERT_TRUE(crowd.is_ready());
  const Result<Evidence> evidence = read_process_evidence(crowd.process());
  ASSERT_TRUE(evidence) << evidence.error().message;
  EXPECT_EQ(evidence->format, "process");
  expect_collisions(*evidence, true);
  expect_member_collision(*evidence);
  while (crowd.status("State") != "S (sleeping)") usleep(1000);  // as soon as it gets a processor
  EXPECT_EQ(crowd.status("TracerPid"), "0");
  EXPECT_THAT(all_warnings(*evidence), HasSubstr("the process stood still for "));
}

TEST(ProcessEvidenceTest, AStoppedProcessStaysStopped) {
  const Crowd crowd(workshop().program(kGcc));
  ASSERT_TRUE(crowd.is_ready());
  kill(crowd.process(), SIGSTOP);
  int status = 0;
  ASSERT_EQ(waitpid(crowd.process(), &status, WUNTRACED), crowd.process());
  const Result<Evidence> evidence = read_process_evidence(crowd.process());
  ASSERT_TRUE(evidence) << evidence.error().message;
  expect_collisions(*evidence, true);
  while (crowd.status("State") != "T (stopped)") usleep(1000);  // it stops again by itself
}

TEST(ProcessEvidenceTest, AProcessThatIsGoneIsAnError) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  const Result<Evidence> evidence = read_process_evidence(child);
  ASSERT_FALSE(evidence);
  EXPECT_EQ(evidence.error().message,
            "there is no process " + std::to_string(child) + " (any more)");
}

TEST(ProcessEvidenceTest, ATracedProcessIsAnErrorThatSaysWhatToDo) {
  const pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    raise(SIGSTOP);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, WUNTRACED), child);
  const Result<Evidence> evidence = read_process_evidence(child);
  ASSERT_FALSE(evidence);
  EXPECT_THAT(evidence.error().message, HasSubstr("no permission to stop process "));
  EXPECT_THAT(evidence.error().message, HasSubstr("a debugger that is attached must detach first"));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

TEST(CoreEvidenceTest, ACoreOfOptimisedCodeHasInlinedFramesAndNamedMaps) {
  const Result<Evidence> evidence = read_core_evidence(workshop().core(kGcc), {});
  ASSERT_TRUE(evidence) << evidence.error().message;
  EXPECT_EQ(evidence->format, "core");
  EXPECT_EQ(evidence->program, workshop().program(kGcc));
  EXPECT_EQ(all_warnings(*evidence), "");
  EXPECT_FALSE(evidence->truncated);
  expect_collisions(*evidence, true);
  expect_member_collision(*evidence);
  const std::string type = finding_on(*evidence, "shop::server.prices")->location.type;
  EXPECT_TRUE(has_function(finding_on(*evidence, "shop::server.prices")->accesses[0].stack,
                           type + "::operator[]", true));
}

TEST(CoreEvidenceTest, ACoreOfPlainCodeSaysTheSame) {
  const Result<Evidence> evidence = read_core_evidence(workshop().core(kGccPlain), {});
  ASSERT_TRUE(evidence) << evidence.error().message;
  expect_collisions(*evidence, true);
  expect_member_collision(*evidence);
}

// clang drops `this` of inlined methods: the map is concluded, which proves nothing.
TEST(CoreEvidenceTest, WhereTheCompilerDroppedThisTheMapIsConcluded) {
  const Result<Evidence> evidence = read_core_evidence(workshop().core(kClang), {});
  ASSERT_TRUE(evidence) << evidence.error().message;
  expect_collisions(*evidence, false);
}

TEST(CoreEvidenceTest, ThreadsSayWhatTheyWaitForAndWhichMapTheyAreIn) {
  const Result<Evidence> evidence = read_core_evidence(workshop().core(kGcc), {});
  ASSERT_TRUE(evidence);
  std::map<std::string, int> states;
  for (const report::Thread& thread : evidence->threads) ++states[thread.state];
  EXPECT_EQ(states["map write of shop::server.prices"], 2);
  EXPECT_EQ(states["map read of shop::rates"], 2);
  EXPECT_EQ(states["blocked in a mutex"], 192);
}

TEST(CoreEvidenceTest, ADeathIsAFindingOfItsOwn) {
  const std::string program = workshop().program(kGcc);
  const std::string core = workshop().path("abort.core");
  ASSERT_TRUE(run("ulimit -s 256; gdb -nx -batch -ex run -ex 'generate-core-file " + core +
                  "' --args " + program + " abort"));
  const Result<Evidence> evidence = read_core_evidence(core, {});
  ASSERT_TRUE(evidence) << evidence.error().message;
  const auto crash =
      std::find_if(evidence->findings.begin(), evidence->findings.end(),
                   [](const Finding& finding) { return finding.kind == Kind::kCrash; });
  ASSERT_NE(crash, evidence->findings.end());
  EXPECT_THAT(crash->message, testing::StartsWith("SIGABRT in thread "));
  EXPECT_TRUE(has_function(crash->accesses[0].stack, "main", false));
  EXPECT_NE(finding_on(*evidence, "shop::server.prices"), nullptr);
}

TEST(CoreEvidenceTest, AStrippedProgramIsSaidAndTheUnstrippedFileMendsIt) {
  const std::string full = workshop().path("full");
  const std::string stripped = workshop().path("stripped");
  ASSERT_TRUE(run("cp " + workshop().program(kGcc) + " " + full));
  ASSERT_TRUE(run("strip -o " + stripped + " " + full));
  const std::string core = workshop().path("stripped.core");
  {
    const Crowd crowd(stripped);
    ASSERT_TRUE(crowd.is_ready());
    ASSERT_TRUE(
        run("gdb -nx -batch -p " + std::to_string(crowd.process()) + " -ex 'gcore " + core + "'"));
  }
  const Result<Evidence> blind = read_core_evidence(core, {});
  ASSERT_TRUE(blind) << blind.error().message;
  EXPECT_EQ(blind->threads.size(), kThreads);
  EXPECT_THAT(all_warnings(*blind), HasSubstr(stripped + " is stripped"));
  EXPECT_TRUE(blind->findings.empty());
  const Result<Evidence> mended = read_core_evidence(core, {full});
  ASSERT_TRUE(mended) << mended.error().message;
  expect_collisions(*mended, true);
}

TEST(CoreEvidenceTest, ACoreWithoutItsProgramIsSaid) {
  const std::string program = workshop().path("gone");
  ASSERT_TRUE(run("cp " + workshop().program(kGcc) + " " + program));
  const std::string core = workshop().path("gone.core");
  {
    const Crowd crowd(program);
    ASSERT_TRUE(crowd.is_ready());
    ASSERT_TRUE(
        run("gdb -nx -batch -p " + std::to_string(crowd.process()) + " -ex 'gcore " + core + "'"));
  }
  std::filesystem::remove(program);
  const Result<Evidence> evidence = read_core_evidence(core, {});
  ASSERT_TRUE(evidence) << evidence.error().message;
  EXPECT_EQ(evidence->threads.size(), kThreads);
  EXPECT_THAT(all_warnings(*evidence), HasSubstr("the program " + program + " is not here"));
  EXPECT_THAT(all_warnings(*evidence), HasSubstr("--executable FILE"));
}

TEST(CoreEvidenceTest, AnotherProgramThanTheCoresIsRefused) {
  for (const std::string& other :
       {workshop().program(kGccPlain), std::string("/bin/sh"), std::string("/proc/self/exe")}) {
    const Result<Evidence> evidence = read_core_evidence(workshop().core(kGcc), {other});
    ASSERT_FALSE(evidence) << other;
    EXPECT_THAT(evidence.error().message, HasSubstr("is not the program that left the core"));
  }
}

TEST(CoreEvidenceTest, AnotherBuildInThePlaceOfTheProgramIsSaid) {
  const std::string program = workshop().path("rebuilt");
  ASSERT_TRUE(run("cp " + workshop().program(kGcc) + " " + program));
  const std::string core = workshop().path("rebuilt.core");
  {
    const Crowd crowd(program);
    ASSERT_TRUE(crowd.is_ready());
    ASSERT_TRUE(
        run("gdb -nx -batch -p " + std::to_string(crowd.process()) + " -ex 'gcore " + core + "'"));
  }
  ASSERT_TRUE(run("cp --remove-destination " + workshop().program(kGccPlain) + " " + program));
  const Result<Evidence> evidence = read_core_evidence(core, {});
  ASSERT_TRUE(evidence) << evidence.error().message;
  EXPECT_THAT(all_warnings(*evidence), HasSubstr("is another build than the one"));
}

TEST(CoreEvidenceTest, SplitDebugInformationThatIsNotThereIsSaid) {
  const std::string flags = "g++ -g -O2 -gsplit-dwarf";
  const std::string core = workshop().core(flags);
  ASSERT_TRUE(read_core_evidence(core, {}));
  ASSERT_TRUE(run("rm -f " + workshop().path("*.dwo") + " *.dwo"));
  const Result<Evidence> evidence = read_core_evidence(core, {});
  ASSERT_TRUE(evidence) << evidence.error().message;
  EXPECT_THAT(all_warnings(*evidence), HasSubstr("was built with -gsplit-dwarf, and "));
  const Crowd crowd(workshop().program(flags));
  ASSERT_TRUE(crowd.is_ready());
  const Result<Evidence> live = read_process_evidence(crowd.process());
  ASSERT_TRUE(live) << live.error().message;
  EXPECT_THAT(all_warnings(*live), HasSubstr("was built with -gsplit-dwarf, and "));
}

TEST(CoreEvidenceTest, ACutOffCoreGivesWhatItHas) {
  const std::string core = workshop().core(kGcc);
  const std::string cut = workshop().path("cut.core");
  const std::uintmax_t size = std::filesystem::file_size(core);
  for (const std::uintmax_t kept : {size / 4 * 3, size / 2, size / 100, std::uintmax_t{30'000},
                                    std::uintmax_t{1000}, std::uintmax_t{64}}) {
    std::filesystem::copy_file(core, cut, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(cut, kept);
    EXPECT_TRUE(is_core(head_of(cut))) << kept;
    const Result<Evidence> evidence = read_core_evidence(cut, {});
    if (evidence) {
      EXPECT_TRUE(evidence->truncated) << kept;
      EXPECT_THAT(all_warnings(*evidence), HasSubstr("is cut off"));
    } else {
      EXPECT_THAT(evidence.error().message, HasSubstr("cut off")) << kept;
    }
  }
}

TEST(CoreEvidenceTest, WhatIsNoCoreIsAnError) {
  const std::string text = workshop().path("text");
  std::ofstream(text) << "goroutine 1 [running]:\n";
  EXPECT_FALSE(is_core(head_of(text)));
  EXPECT_EQ(read_core_evidence(text, {}).error().message, text + " is not a core file");
  const std::string program = workshop().program(kGcc);
  EXPECT_FALSE(is_core(head_of(program)));
  EXPECT_EQ(read_core_evidence(program, {}).error().message, program + " is not a core file");
  EXPECT_THAT(read_core_evidence("/nowhere/core", {}).error().message,
              HasSubstr("No such file or directory"));
  EXPECT_EQ(read_core_evidence(workshop().core(kGcc), {"/nowhere/app"}).error().message,
            "there is no file /nowhere/app");
}

}  // namespace
}  // namespace vigil::tools
