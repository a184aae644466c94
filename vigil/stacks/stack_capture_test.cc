// SPDX-License-Identifier: Apache-2.0
#include "vigil/stacks/stack_capture.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "vigil/stacks/elf_names.h"

namespace vigil::stacks {
namespace {

constexpr int kSignal = SIGURG;
constexpr int kPatience_ms = 60'000;  // only a hang reaches it

class StackCaptureTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(ensure_capture_signal()); }

  std::unique_ptr<CapturedStack> stack_ = std::make_unique<CapturedStack>();
  std::span<CapturedStack> stacks_{stack_.get(), 1};
};

// The names of a captured stack's functions, innermost first.
std::vector<std::string> names_of(const CapturedStack& stack) {
  std::vector<NamedAddress> addresses;
  for (const std::uintptr_t address : stack.frames()) addresses.push_back({address, {}, 0, {}, 0});
  std::sort(addresses.begin(), addresses.end(),
            [](const auto& a, const auto& b) { return a.address < b.address; });
  const auto names = std::make_unique<ElfNames>();
  names->assign(addresses);
  std::vector<std::string> result;
  for (const std::uintptr_t wanted : stack.frames()) {
    const auto found = std::find_if(addresses.begin(), addresses.end(),
                                    [&](const auto& one) { return one.address == wanted; });
    result.emplace_back(found->function);
  }
  return result;
}

bool contains(const std::vector<std::string>& names, const std::string& part) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return name.find(part) != std::string::npos; });
}

[[gnu::noinline]] void wait_in_a_named_function(std::latch* latch, std::atomic<pid_t>* id) {
  *id = gettid();
  id->notify_all();
  latch->wait();
  asm volatile("");
}

TEST_F(StackCaptureTest, ABlockedThreadAnswersWithItsStackAndItsMap) {
  std::latch latch(1);
  std::atomic<pid_t> id = 0;
  std::jthread thread([&] {
    const MapLabel outer_map(&latch, "outer", "");
    const MapLabel inner_map(&id, "inner", "Map<int>");
    const MapMark outer(outer_map, MapOperation::kGet);
    const MapMark inner(inner_map, MapOperation::kErase);
    wait_in_a_named_function(&latch, &id);
  });
  id.wait(0);
  ASSERT_EQ(request_capture(id, stack_.get()), CaptureRequest::kSent);
  await_captures(stacks_, kPatience_ms);
  latch.count_down();
  ASSERT_TRUE(is_answered(*stack_, id));
  EXPECT_FALSE(stack_->is_damaged);
  EXPECT_EQ(stack_->mark.operation, MapOperation::kErase);
  EXPECT_STREQ(stack_->mark.name.data(), "inner");
  EXPECT_STREQ(stack_->mark.type.data(), "Map<int>");
  EXPECT_EQ(stack_->mark.map, &id);
  const std::vector<std::string> names = names_of(*stack_);
  EXPECT_TRUE(contains(names, "wait_in_a_named_function"));
  EXPECT_FALSE(contains(names, "on_capture_signal"));
}

TEST_F(StackCaptureTest, MarksEndWithTheirScope) {
  const MapLabel map(this, "map", "");
  EXPECT_EQ(MapMark::current(), nullptr);
  {
    const MapMark outer(map, MapOperation::kGet);
    {
      const MapMark inner(map, MapOperation::kUpdate);
      EXPECT_EQ(MapMark::current(), &inner);
    }
    EXPECT_EQ(MapMark::current(), &outer);
  }
  EXPECT_EQ(MapMark::current(), nullptr);
}

TEST_F(StackCaptureTest, OnlyExclusiveMarksOfTheSameMapExclude) {
  const MapLabel map(this, "map", "");
  const MapLabel other(this, "other", "");
  const MapMark inside(map, MapOperation::kIterate);
  EXPECT_FALSE(MapMark::is_exclusive(map));
  const MapMark exclusive(map, MapOperation::kUpdate, MapMark::Kind::kExclusive);
  const MapMark further_in(other, MapOperation::kGet);
  EXPECT_TRUE(MapMark::is_exclusive(map));
  EXPECT_FALSE(MapMark::is_exclusive(other));
}

TEST_F(StackCaptureTest, TextsThatAreTooLongAreCut) {
  const MapLabel map(this, std::string(1'000, 'n'), "");
  const MapMark inside(map, MapOperation::kUpdate);
  capture_self(stack_.get());
  EXPECT_EQ(std::string(stack_->mark.name.data()), std::string(stack_->mark.name.size() - 1, 'n'));
}

TEST_F(StackCaptureTest, AMapThatIsGoneWhenItsNameIsReadDoesNoHarm) {
  {
    const auto map = std::make_unique<MapLabel>(this, "short-lived map", "Map");
    const MapMark inside(*map, MapOperation::kUpdate);
    capture_self(stack_.get());
  }
  EXPECT_STREQ(stack_->mark.name.data(), "short-lived map");
}

TEST_F(StackCaptureTest, ASecondSignalMayAskAndTheFirstGoesOnToItsHandler) {
  static volatile sig_atomic_t received = 0;
  struct sigaction action = {};
  action.sa_handler = [](int) { received = received + 1; };
  sigaction(SIGUSR2, &action, nullptr);
  ASSERT_TRUE(install_capture_signal(SIGUSR2));
  ASSERT_TRUE(install_capture_signal(SIGUSR2));  // must not become its own predecessor
  EXPECT_EQ(capture_signal(), SIGUSR2);
  ASSERT_EQ(request_capture(gettid(), stack_.get()), CaptureRequest::kSent);
  await_captures(stacks_, kPatience_ms);
  EXPECT_TRUE(is_answered(*stack_, gettid()));
  EXPECT_EQ(received, 0);
  raise(SIGUSR2);
  EXPECT_EQ(received, 1);
  ASSERT_TRUE(install_capture_signal(kSignal));
}

TEST_F(StackCaptureTest, ASignalThatDoesNotExistIsRefused) {
  EXPECT_FALSE(install_capture_signal(0));
  EXPECT_FALSE(install_capture_signal(1'000));
  EXPECT_EQ(capture_signal(), kSignal);
}

TEST_F(StackCaptureTest, TheCallingThreadNeedsNoSignal) {
  capture_self(stack_.get());
  ASSERT_TRUE(is_answered(*stack_, gettid()));
  EXPECT_TRUE(contains(names_of(*stack_), "TheCallingThreadNeedsNoSignal"));
}

TEST_F(StackCaptureTest, AnAnswerThatComesTooLateIsDropped) {
  std::latch may_go(1);
  std::atomic<pid_t> id = 0;
  std::jthread thread([&] {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    id = gettid();
    id.notify_all();
    may_go.wait();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);  // the signal arrives here
  });
  id.wait(0);
  ASSERT_EQ(request_capture(id, stack_.get()), CaptureRequest::kSent);
  await_captures(stacks_, 1);
  EXPECT_FALSE(is_answered(*stack_, id));
  stack_->frame_count = 77;
  may_go.count_down();
  thread.join();
  EXPECT_FALSE(is_answered(*stack_, id));
  EXPECT_EQ(stack_->frame_count, 77u);
}

TEST_F(StackCaptureTest, AThreadThatIsGoneIsRefused) {
  pid_t id = 0;
  std::thread([&] { id = gettid(); }).join();
  // The kernel may list it a moment longer than join() waits.
  while (request_capture(id, stack_.get()) != CaptureRequest::kThreadIsGone) {
    await_captures(stacks_, 1);
  }
  EXPECT_FALSE(is_answered(*stack_, id));
}

TEST_F(StackCaptureTest, ASignalOfAnotherSenderIsNotTakenForARequest) {
  raise(kSignal);
  kill(getpid(), kSignal);
  EXPECT_FALSE(is_answered(*stack_, gettid()));
}

// Its caller is to be found through rbp (the project keeps frame pointers), which holds nonsense.
[[gnu::noinline]] void spin_with_a_damaged_stack(std::atomic<pid_t>* id, volatile bool* stop) {
  *id = gettid();
  id->notify_all();
  asm volatile(
      "push %%rbp\n"
      "mov $4096, %%rbp\n"
      "1: pause\n"
      "cmpb $0, (%0)\n"
      "je 1b\n"
      "pop %%rbp\n"
      :
      : "r"(stop)
      : "memory", "cc");
}

TEST_F(StackCaptureTest, ADamagedStackGivesTheFramesThatCouldBeRead) {
  std::atomic<pid_t> id = 0;
  volatile bool stop = false;
  std::jthread thread([&] { spin_with_a_damaged_stack(&id, &stop); });
  id.wait(0);
  do {  // until it is caught between the two instructions that change rbp
    ASSERT_EQ(request_capture(id, stack_.get()), CaptureRequest::kSent);
    await_captures(stacks_, kPatience_ms);
    ASSERT_TRUE(is_answered(*stack_, id));
  } while (!stack_->is_damaged);
  EXPECT_TRUE(contains(names_of(*stack_), "spin_with_a_damaged_stack"));
  stop = true;
}

}  // namespace
}  // namespace vigil::stacks
