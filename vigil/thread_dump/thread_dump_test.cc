// SPDX-License-Identifier: Apache-2.0
//
// Each scene plays in a child process, which installs the dump, writes it to a pipe and usually
// dies; the test reads what it wrote and how it ended.
#include "vigil/thread_dump/thread_dump.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace vigil {
namespace {

using testing::HasSubstr;
using testing::Not;

// How a child ended and what it wrote.
struct Outcome {
  std::string text;
  int status = 0;

  [[nodiscard]] int signal() const { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }
  [[nodiscard]] int exit_code() const { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }
};

// Runs scene(descriptor) in a child until it ends.
Outcome play(const std::function<void(int)>& scene, const char* traceback = nullptr) {
  int pipe_ends[2];
  EXPECT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(pipe_ends[0]);
    if (traceback != nullptr) setenv("VIGIL_TRACEBACK", traceback, 1);
    if (traceback == nullptr) unsetenv("VIGIL_TRACEBACK");
    scene(pipe_ends[1]);
    _exit(0);
  }
  close(pipe_ends[1]);
  Outcome outcome;
  char buffer[4096];
  for (ssize_t got = 0; (got = read(pipe_ends[0], buffer, sizeof buffer)) > 0;) {
    outcome.text.append(buffer, static_cast<std::size_t>(got));
  }
  close(pipe_ends[0]);
  waitpid(child, &outcome.status, 0);
  return outcome;
}

void install(int descriptor) {
  ThreadDumpOptions options;
  options.descriptor = descriptor;
  const Result<void> installed = install_thread_dump(options);
  if (!installed) _exit(99);
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++found;
  return found;
}

// Starts threads and waits until each is where it shall stay.
class Crowd {
 public:
  void add(int number, const char* name, void (*stay)(std::atomic<int>*)) {
    for (int i = 0; i < number; ++i) {
      std::thread([this, name, stay] {
        pthread_setname_np(pthread_self(), name);
        stay(&in_place_);
      }).detach();
    }
    wanted_ += number;
  }
  void assemble() const {
    while (in_place_.load() < wanted_) usleep(1000);
  }

 private:
  std::atomic<int> in_place_ = 0;
  int wanted_ = 0;
};

std::mutex held;

[[gnu::noinline]] void stay_in_a_mutex(std::atomic<int>* in_place) {
  in_place->fetch_add(1);
  const std::lock_guard lock(held);
}

[[gnu::noinline]] void stay_in_a_map(std::atomic<int>* in_place) {
  const MapLabel orders(&held, "orders", "CheckedMap<int, Order>");
  const MapMark inside(orders, MapOperation::kUpdate);
  in_place->fetch_add(1);
  for (;;) poll(nullptr, 0, -1);
}

[[gnu::noinline]] void spin_without_signals(std::atomic<int>* in_place) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  in_place->fetch_add(1);
  for (volatile bool go_on = true; go_on;) {
  }
}

// Reads from `descriptor` until the dump has ended.
std::string read_dump(int descriptor) {
  std::string text;
  char buffer[4096];
  while (!text.ends_with("threads answered ===\n")) {
    const ssize_t got = read(descriptor, buffer, sizeof buffer);
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text;
}

TEST(ThreadDumpTest, TwoHundredThreadsAreShownOnDemandAndTheProcessGoesOn) {
  const Outcome outcome = play([](int descriptor) {
    int dump[2];
    if (pipe(dump) != 0) _exit(98);
    install(dump[1]);
    held.lock();
    Crowd crowd;
    crowd.add(150, "waiter", stay_in_a_mutex);
    crowd.add(48, "mapper", stay_in_a_map);
    crowd.add(1, "spinner", spin_without_signals);
    crowd.assemble();
    std::string text;
    std::thread reader([&] { text = read_dump(dump[0]); });
    kill(getpid(), SIGQUIT);
    reader.join();
    if (write(descriptor, text.data(), text.size()) < 0) _exit(97);
  });
  EXPECT_EQ(outcome.exit_code(), 0);
  EXPECT_THAT(outcome.text, HasSubstr("201 threads, on demand ===\n"));
  EXPECT_THAT(outcome.text, HasSubstr("=== end of thread dump: 200 of 201 threads answered ==="));
  EXPECT_EQ(count(outcome.text, "\"waiter\": blocked in futex\n"), 150u);
  EXPECT_EQ(count(outcome.text, "stay_in_a_mutex"), 150u);
  EXPECT_EQ(count(outcome.text, "\"mapper\": blocked in poll\n  map write: \"orders\""), 48u);
  EXPECT_THAT(outcome.text, HasSubstr("\"spinner\": running\n  no answer: it blocks signals\n"));
}

TEST(ThreadDumpTest, TheTextForPeopleHasReadableNames) {
  const Outcome outcome = play([](int descriptor) {
    install(descriptor);
    held.lock();
    Crowd crowd;
    crowd.add(1, "waiter", stay_in_a_mutex);
    crowd.assemble();
    const std::string text = thread_dump_text("GET /debug/threads");
    if (write(descriptor, text.data(), text.size()) < 0) _exit(97);
  });
  EXPECT_THAT(outcome.text, HasSubstr("threads, GET /debug/threads ==="));
  EXPECT_THAT(outcome.text, HasSubstr("(anonymous namespace)::stay_in_a_mutex("));
  EXPECT_THAT(outcome.text, Not(HasSubstr("_ZN")));
}

constexpr int kStorms = 1000;
int storm_descriptor = -1;

// From a handler that interrupts malloc as likely as anything.
TEST(ThreadDumpTest, AThousandDumpsFromHandlersUnderAStormOfMallocEnd) {
  const Outcome outcome = play([](int descriptor) {
    install(descriptor);
    storm_descriptor = descriptor;
    signal(SIGUSR1, [](int) { write_thread_dump(storm_descriptor, "storm"); });
    std::atomic<bool> stop = false;
    std::atomic<pthread_t> first = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        first = pthread_self();
        for (std::size_t size = 1; !stop.load(); size = size * 5 % 70'001 + 1) {
          free(std::malloc(size));
          const std::string text(size, 'x');
          asm volatile("" : : "r"(text.data()) : "memory");
        }
      });
    }
    while (first.load() == 0) std::this_thread::yield();
    for (int i = 0; i < kStorms; ++i) {
      pthread_kill(i % 2 == 0 ? first.load() : pthread_self(), SIGUSR1);
      free(std::malloc(static_cast<std::size_t>(i)));
    }
    stop = true;
  });
  EXPECT_EQ(outcome.exit_code(), 0);
  // A signal that is pending already is not sent twice.
  const std::size_t begun = count(outcome.text, "threads, storm ===\n");
  EXPECT_EQ(count(outcome.text, "=== end of thread dump: "), begun);
  EXPECT_GE(begun, static_cast<std::size_t>(kStorms / 2));
}

struct FatalCase {
  const char* name;
  int signal;
  void (*fail)();
};

[[gnu::noinline]] void read_nowhere() {
  static const int* volatile nowhere = nullptr;  // the compiler must not know
  asm volatile("" : : "r"(*nowhere));
}

class FatalErrorTest : public testing::TestWithParam<FatalCase> {};

TEST_P(FatalErrorTest, EndsTheProcessByItsSignalAfterTheDump) {
  const Outcome outcome = play([](int descriptor) {
    const rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    install(descriptor);
    held.lock();
    Crowd crowd;
    crowd.add(2, "waiter", stay_in_a_mutex);
    crowd.assemble();
    std::thread(GetParam().fail).join();
  });
  EXPECT_EQ(outcome.signal(), GetParam().signal);
  EXPECT_THAT(outcome.text, HasSubstr(std::string("fatal error: ") + GetParam().name));
  EXPECT_THAT(outcome.text, HasSubstr(std::string(" 4 threads, ") + GetParam().name + " ===\n\n"));
  EXPECT_THAT(outcome.text, HasSubstr(": running, fatal\n  #0 "));
  EXPECT_EQ(count(outcome.text, "stay_in_a_mutex"), 2u);
  EXPECT_THAT(outcome.text, HasSubstr("=== end of thread dump: 4 of 4 threads answered ==="));
}

INSTANTIATE_TEST_SUITE_P(Signals, FatalErrorTest,
                         testing::Values(FatalCase{"SIGSEGV", SIGSEGV, read_nowhere},
                                         FatalCase{"SIGABRT", SIGABRT, [] { std::abort(); }},
                                         FatalCase{"SIGILL", SIGILL, [] { asm volatile("ud2"); }},
                                         FatalCase{"SIGFPE", SIGFPE, [] { raise(SIGFPE); }}),
                         [](const auto& parameter) { return parameter.param.name; });

TEST(TracebackTest, NonePrintsOneLine) {
  const Outcome outcome = play(
      [](int descriptor) {
        install(descriptor);
        read_nowhere();
      },
      "none");
  EXPECT_EQ(outcome.signal(), SIGSEGV);
  EXPECT_THAT(outcome.text, HasSubstr("fatal error: SIGSEGV at 0x0 in thread "));
  EXPECT_THAT(outcome.text, Not(HasSubstr("===")));
}

TEST(TracebackTest, SinglePrintsTheThreadThatFailed) {
  const Outcome outcome = play(
      [](int descriptor) {
        install(descriptor);
        held.lock();
        Crowd crowd;
        crowd.add(3, "waiter", stay_in_a_mutex);
        crowd.assemble();
        read_nowhere();
      },
      "single");
  EXPECT_EQ(outcome.signal(), SIGSEGV);
  EXPECT_THAT(outcome.text, HasSubstr("read_nowhere"));
  EXPECT_THAT(outcome.text, Not(HasSubstr("waiter")));
  EXPECT_THAT(outcome.text, HasSubstr("1 of 4 threads shown"));
}

TEST(TracebackTest, CrashRaisesTheLimitForCores) {
  // Another handler sees the limit that the dump left behind.
  const Outcome outcome = play(
      [](int descriptor) {
        const rlimit limit = {0, RLIM_INFINITY};
        const bool may_raise = setrlimit(RLIMIT_CORE, &limit) == 0;
        static bool raised = false;
        raised = !may_raise;  // nothing to see where the hard limit is lower
        signal(SIGSEGV, [](int) {
          rlimit now;
          if (getrlimit(RLIMIT_CORE, &now) == 0 && now.rlim_cur == now.rlim_max) raised = true;
          _exit(raised ? 42 : 1);
        });
        install(descriptor);
        read_nowhere();
      },
      "crash");
  EXPECT_EQ(outcome.exit_code(), 42);
}

TEST(TracebackTest, AnUnknownWishIsAnErrorThatNamesTheKnownOnes) {
  const Outcome outcome = play(
      [](int descriptor) {
        const Result<void> installed = install_thread_dump({});
        const std::string text = installed ? "" : installed.error().message;
        if (write(descriptor, text.data(), text.size()) < 0) _exit(97);
      },
      "everything");
  EXPECT_EQ(outcome.text,
            "VIGIL_TRACEBACK is \"everything\"; it may be none, single, all or crash");
}

TEST(ThreadDumpTest, TheHandlerThatWasThereBeforeGetsTheSignal) {
  const Outcome outcome = play([](int descriptor) {
    signal(SIGSEGV, [](int) { _exit(42); });
    install(descriptor);
    read_nowhere();
  });
  EXPECT_EQ(outcome.exit_code(), 42);
  EXPECT_THAT(outcome.text, HasSubstr("=== end of thread dump: "));
}

TEST(ThreadDumpTest, AFatalMapReportNamesTheMapAndBothThreads) {
  const Outcome outcome = play([](int descriptor) {
    const rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    install(descriptor);
    const MapLabel user_cache(&held, "user_cache", "CheckedMap<int, User>");
    thread_dump::fatal_map_report(
        {"concurrent map read and map write", user_cache, MapOperation::kGet, 4242});
  });
  EXPECT_EQ(outcome.signal(), SIGABRT);
  EXPECT_THAT(outcome.text, HasSubstr("fatal error: concurrent map read and map write\n"
                                      "  map read: \"user_cache\" (CheckedMap<int, User>) at 0x"));
  EXPECT_THAT(outcome.text, HasSubstr(", also inside: thread 4242\n"));
  EXPECT_THAT(outcome.text, HasSubstr("1 threads, concurrent map read and map write ===\n"));
  EXPECT_EQ(count(outcome.text, "fatal error"), 1u);
}

TEST(ThreadDumpTest, TwoThreadsThatFailTogetherGiveOneDump) {
  const Outcome outcome = play([](int descriptor) {
    const rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    install(descriptor);
    std::latch together(2);
    std::jthread other([&] {
      together.arrive_and_wait();
      read_nowhere();
    });
    together.arrive_and_wait();
    read_nowhere();
  });
  EXPECT_EQ(outcome.signal(), SIGSEGV);
  EXPECT_EQ(count(outcome.text, "=== vigil thread dump"), 1u);
  EXPECT_EQ(count(outcome.text, "=== end of thread dump: 2 of 2"), 1u);
}

TEST(ThreadDumpTest, AForkedChildDumpsItself) {
  const Outcome outcome = play([](int descriptor) {
    install(descriptor);
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      raise(SIGQUIT);
      _exit(0);
    }
    waitpid(grandchild, nullptr, 0);
  });
  EXPECT_THAT(outcome.text, HasSubstr(": 1 threads, on demand ===\n"));
  EXPECT_THAT(outcome.text, HasSubstr("=== end of thread dump: 1 of 1 threads answered ==="));
}

TEST(ThreadDumpTest, ASecondInstallationIsAnError) {
  const Outcome outcome = play([](int descriptor) {
    install(descriptor);
    if (install_thread_dump({})) _exit(1);
  });
  EXPECT_EQ(outcome.exit_code(), 0);
}

}  // namespace
}  // namespace vigil
