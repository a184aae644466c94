// SPDX-License-Identifier: Apache-2.0
#include "vigil/stacks/fault_guard.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace vigil::stacks {
namespace {

void fault() {
  // Read anew each time: a store to a known null pointer need not be compiled.
  static volatile int* volatile nowhere = nullptr;
  *nowhere = 1;
}

// How a child that runs `scene` ends, as waitpid() tells.
int status_of(const std::function<void()>& scene) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    scene();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

void exit_with_42(int) { _exit(42); }

TEST(FaultGuardTest, AFaultEndsTheGuardedFunctionOnly) {
  ensure_fault_guard();
  EXPECT_FALSE(run_guarded([](void*) { fault(); }, nullptr));
  EXPECT_TRUE(run_guarded([](void*) {}, nullptr));
}

TEST(FaultGuardTest, GuardsNest) {
  ensure_fault_guard();
  const auto fault_inside = [](void* ended) {
    *static_cast<bool*>(ended) = !run_guarded([](void*) { fault(); }, nullptr);
  };
  bool inner_ended = false;
  EXPECT_TRUE(run_guarded(fault_inside, &inner_ended));
  EXPECT_TRUE(inner_ended);
}

TEST(FaultGuardTest, AFaultOutsideEndsTheProgramAsEver) {
  for (const bool is_guarded : {false, true}) {
    const int status = status_of([&] {
      signal(SIGSEGV, SIG_DFL);
      if (is_guarded) ensure_fault_guard();
      fault();
    });
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), SIGSEGV);
  }
}

TEST(FaultGuardTest, AFaultOutsideReachesTheHandlerThatWasThere) {
  EXPECT_EQ(WEXITSTATUS(status_of([] {
              signal(SIGSEGV, exit_with_42);
              ensure_fault_guard();
              run_guarded([](void*) { fault(); }, nullptr);
              fault();
            })),
            42);
}

TEST(FaultGuardTest, ASignalThatIsSentReachesTheHandlerThatWasThere) {
  EXPECT_EQ(WEXITSTATUS(status_of([] {
              signal(SIGSEGV, exit_with_42);
              ensure_fault_guard();
              raise(SIGSEGV);
            })),
            42);
}

TEST(FaultGuardTest, AHandlerOfTheProgramsIsNotReplaced) {
  EXPECT_EQ(WEXITSTATUS(status_of([] {
              signal(SIGSEGV, [](int) {
                escape_fault();
                _exit(42);
              });
              fault_guard_is_installed();
              ensure_fault_guard();
              if (run_guarded([](void*) { fault(); }, nullptr)) _exit(1);
              raise(SIGSEGV);
            })),
            42);
}

}  // namespace
}  // namespace vigil::stacks
