// SPDX-License-Identifier: Apache-2.0
#include "vigil/maps/lazy.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace vigil {
namespace {

// Used by a thread that is started before main, before `early_value` could be constructed by code.
extern Lazy<std::string> early_value;

struct StartedBeforeMain {
  StartedBeforeMain() : thread([this] { seen = early_value.get(); }) {}
  ~StartedBeforeMain() {
    if (thread.joinable()) thread.join();
  }
  std::string seen;
  std::thread thread;
} started_before_main;

std::string make_early_value() { return "made once"; }
constinit Lazy<std::string> early_value(make_early_value);

TEST(LazyTest, AThreadStartedBeforeMainMayUseAGlobal) {
  started_before_main.thread.join();
  EXPECT_EQ(started_before_main.seen, "made once");
  EXPECT_EQ(&early_value.get(), &*early_value);
}

TEST(LazyTest, IsNotMadeBeforeItIsAskedFor) {
  int made = 0;
  Lazy value([&] { return ++made; });
  EXPECT_FALSE(value.ready());
  EXPECT_EQ(made, 0);
  EXPECT_EQ(value.get(), 1);
  EXPECT_EQ(value.get(), 1);
  EXPECT_TRUE(value.ready());
  EXPECT_EQ(made, 1);
}

TEST(LazyTest, IsMadeOnceHoweverManyThreadsAsk) {
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> made{0};
    Lazy value([&] { return std::make_unique<int>(made.fetch_add(1)); });
    std::vector<std::thread> threads;
    for (int n = 0; n < 4; ++n) threads.emplace_back([&] { EXPECT_EQ(*value.get(), 0); });
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(made.load(), 1);
  }
}

// The test would not end if somebody slept on.
TEST(LazyTest, ThoseWhoWaitAreWoken) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> asking{0};
    Lazy value([&] {
      while (asking.load() < 4) std::this_thread::yield();
      for (int i = 0; i < 100; ++i) std::this_thread::yield();  // most of them sleep by now
      return 1;
    });
    std::vector<std::thread> threads;
    for (int n = 0; n < 4; ++n) {
      threads.emplace_back([&] {
        ++asking;
        EXPECT_EQ(value.get(), 1);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

TEST(LazyTest, AFailureIsTriedAgain) {
  int attempts = 0;
  Lazy value([&] {
    if (++attempts == 1) throw std::runtime_error("not yet");
    return attempts;
  });
  EXPECT_THROW(static_cast<void>(value.get()), std::runtime_error);
  EXPECT_FALSE(value.ready());
  EXPECT_EQ(value.get(), 2);
}

TEST(LazyTest, AFailureIsKeptIfWanted) {
  int attempts = 0;
  Lazy value(
      [&]() -> int {
        ++attempts;
        throw std::runtime_error("never");
      },
      OnFailure::kKeep);
  EXPECT_THROW(static_cast<void>(value.get()), std::runtime_error);
  EXPECT_THROW(static_cast<void>(value.get()), std::runtime_error);
  EXPECT_EQ(attempts, 1);
}

TEST(LazyTest, OneOfTheWaitingTriesAfterAFailure) {
  std::atomic<int> attempts{0};
  Lazy value([&] {
    if (attempts.fetch_add(1) < 2) throw std::runtime_error("not yet");
    return 7;
  });
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int n = 0; n < 5; ++n) {
    threads.emplace_back([&] {
      try {
        EXPECT_EQ(value.get(), 7);
      } catch (const std::runtime_error&) {
        ++failed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed.load(), 2);
  EXPECT_EQ(attempts.load(), 3);
}

TEST(LazyTest, DestroysWhatItMade) {
  const auto counted = std::make_shared<int>(1);
  {
    Lazy value([&] { return std::shared_ptr<int>(counted); });
    EXPECT_EQ(value.get(), counted);
    EXPECT_EQ(counted.use_count(), 2);
  }
  EXPECT_EQ(counted.use_count(), 1);
}

TEST(LazyTest, AConstLazyMakesItsValueAndShowsItAsConst) {
  static int made = 0;
  static constinit const Lazy value(
      [] { return std::string(static_cast<std::size_t>(++made), 'a'); });
  static_assert(std::is_same_v<decltype(value.get()), const std::string&>);
  EXPECT_EQ(value.get(), "a");
  EXPECT_EQ(value->size(), 1U);
  EXPECT_EQ(*value, "a");
  EXPECT_EQ(made, 1);
}

TEST(LazyTest, AReferenceIsToWhatTheMakerReturned) {
  int object = 1;
  Lazy reference([&]() -> int& { return object; });
  static_assert(std::is_same_v<decltype(reference.get()), int&>);
  ++reference.get();
  EXPECT_EQ(object, 2);
  EXPECT_EQ(&*reference, &object);
  int other = 5;
  EXPECT_FALSE(reference.set(other));
  Lazy unset([&]() -> int& { return object; });
  EXPECT_TRUE(unset.set(other));
  EXPECT_EQ(&unset.get(), &other);
}

TEST(LazyTest, OnlyTheFirstSetCountsAndSparesTheMaking) {
  int made = 0;
  Lazy value([&] { return std::make_unique<int>(++made); });
  EXPECT_TRUE(value.set(std::make_unique<int>(7)));
  EXPECT_FALSE(value.set(std::make_unique<int>(8)));
  EXPECT_EQ(*value.get(), 7);
  EXPECT_EQ(made, 0);
  Lazy late([&] { return ++made; });
  EXPECT_EQ(late.get(), 1);
  EXPECT_FALSE(late.set(5));
  EXPECT_EQ(late.get(), 1);
}

TEST(LazyTest, ASetThatFailsLeavesTheValueToBeMade) {
  struct Fragile {
    explicit Fragile(int n) : number(n) {}
    Fragile(const Fragile& other) : number(other.number) { throw std::runtime_error("no copy"); }
    int number;
  };
  Lazy value([] { return Fragile(1); }, OnFailure::kKeep);
  const Fragile other(2);
  EXPECT_THROW(value.set(other), std::runtime_error);
  EXPECT_EQ(value.get().number, 1);
}

TEST(LazyTest, OneOfSeveralSettersWins) {
  for (int round = 0; round < 50; ++round) {
    Lazy value([] { return -1; });
    std::atomic<int> winner{-1};
    std::vector<std::thread> threads;
    for (int n = 0; n < 4; ++n) {
      threads.emplace_back([&, n] {
        if (value.set(n)) winner = n;
        EXPECT_GE(value.get(), 0);
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(value.get(), winner.load());
  }
}

TEST(LazyDeathTest, AValueThatAsksForItselfIsStopped) {
  static Lazy<int>* self = nullptr;
  Lazy<int> value([] { return self->get() + 1; });
  self = &value;
  EXPECT_DEATH(static_cast<void>(value.get()), "asked for the same Lazy");
}

}  // namespace
}  // namespace vigil
