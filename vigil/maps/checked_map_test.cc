// SPDX-License-Identifier: Apache-2.0
//
// What CheckedMap sees, in overlaps made on purpose: one thread stands still inside a callback
// while another uses the map. All of it is ordered by semaphores, so ThreadSanitizer has nothing to
// say; loads that really race are in checked_map_misuse_test.cc.
#include "vigil/maps/checked_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <mutex>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "vigil/maps/map_family_test.h"

namespace vigil {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using Map = CheckedMap<int, int>;

// ThreadSanitizer hands a signal to a thread only when that makes its next call, so a thread that
// stands still does not answer.
#if defined(__SANITIZE_THREAD__)
constexpr bool kSignalsAreLate = true;
#elif defined(__has_feature)
constexpr bool kSignalsAreLate = __has_feature(thread_sanitizer);
#else
constexpr bool kSignalsAreLate = false;
#endif

// What the handler was told, kept beyond the call.
struct Told {
  MisuseKind kind;
  MapOperation current;
  MapOperation other;
  std::string other_name;
  bool other_inside;
  std::size_t current_frames;
  std::size_t other_frames;
  std::string text;
};

class CheckedMapTest : public ::testing::Test {
 protected:
  CheckedMapTest() {
    for (int n = 0; n < 5; ++n) map_.insert(n, n);
  }

  // Runs `operation` on this thread while a thread named "sleeper" stands in a callback of
  // map_.`occupied`.
  template <class Occupied, class Operation>
  void during(Occupied occupied, Operation operation) {
    std::binary_semaphore inside(0);
    std::binary_semaphore leave(0);
    std::thread sleeper([&] {
      pthread_setname_np(pthread_self(), "sleeper");
      occupied([&] {
        inside.release();
        leave.acquire();
      });
    });
    inside.acquire();
    operation();
    leave.release();
    sleeper.join();
  }
  auto updating() {
    return [this](auto stand) { map_.update(1, [&](int&) noexcept { stand(); }); };
  }
  auto visiting() {
    return [this](auto stand) { map_.visit(1, [&](int) { stand(); }); };
  }
  auto iterating() {
    return [this](auto stand) {
      bool stood = false;
      map_.for_each([&](int, int) {
        if (!std::exchange(stood, true)) stand();
        ++visited_;
      });
    };
  }

  std::vector<Told> told_;
  int visited_ = 0;
  Map map_{
      {.name = "orders", .policy = MisusePolicy::kHandle, .handler = [this](const MapMisuse& m) {
         told_.push_back({m.kind, m.current.operation, m.other.operation,
                          std::string(m.other.thread_name), m.other.inside, m.current.stack.size(),
                          m.other.stack.size(), std::string(m.text)});
       }}};
};

TEST_F(CheckedMapTest, AWriteDuringAWriteIsReportedByBothSides) {
  during(updating(), [&] { map_.insert_or_assign(7, 7); });
  ASSERT_EQ(told_.size(), 2U);
  EXPECT_EQ(told_[0].kind, MisuseKind::kWrites);
  EXPECT_EQ(told_[0].current, MapOperation::kInsertOrAssign);
  EXPECT_EQ(told_[0].other, MapOperation::kUpdate);
  EXPECT_EQ(told_[1].current, MapOperation::kUpdate);
  EXPECT_EQ(told_[1].other, MapOperation::kInsertOrAssign);
  EXPECT_EQ(map_.stats().misuses_total, 2U);
}

TEST_F(CheckedMapTest, AReadDuringAWriteIsReported) {
  during(updating(), [&] { static_cast<void>(map_.get(1)); });
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_EQ(told_[0].kind, MisuseKind::kReadAndWrite);
  EXPECT_EQ(told_[0].current, MapOperation::kGet);
  EXPECT_EQ(told_[0].other, MapOperation::kUpdate);
}

TEST_F(CheckedMapTest, AWriteDuringAReadIsReportedByTheRead) {
  during(visiting(), [&] { map_.insert_or_assign(1, 7); });
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_EQ(told_[0].kind, MisuseKind::kReadAndWrite);
  EXPECT_EQ(told_[0].current, MapOperation::kGet);
  EXPECT_EQ(told_[0].other, MapOperation::kInsertOrAssign);
}

TEST_F(CheckedMapTest, AWriteDuringAnIterationEndsItWithAReport) {
  during(iterating(), [&] { map_.erase(4); });
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_EQ(told_[0].kind, MisuseKind::kIterationAndWrite);
  EXPECT_EQ(told_[0].current, MapOperation::kIterate);
  EXPECT_EQ(told_[0].other, MapOperation::kErase);
  EXPECT_EQ(visited_, 1);
}

TEST_F(CheckedMapTest, ReadsDuringReadsAndIterationsAreNone) {
  during(visiting(), [&] { static_cast<void>(map_.get(1)); });
  during(iterating(), [&] { static_cast<void>(map_.get(1)); });
  during(visiting(), [&] { map_.for_each([](int, int) {}); });
  EXPECT_TRUE(told_.empty());
  EXPECT_EQ(map_.stats().misuses_total, 0U);
}

TEST_F(CheckedMapTest, AThreadThatStandsInsideIsShownWithItsStackAndName) {
  if (kSignalsAreLate) GTEST_SKIP() << "ThreadSanitizer delivers signals late";
  during(updating(), [&] { static_cast<void>(map_.get(1)); });
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_EQ(told_[0].other_name, "sleeper");
  EXPECT_TRUE(told_[0].other_inside);
  EXPECT_GT(told_[0].other_frames, 3U);
  EXPECT_GT(told_[0].current_frames, 3U);
}

TEST_F(CheckedMapTest, TheTextNamesTheMapBothOperationsAndBothStacks) {
  if (kSignalsAreLate) GTEST_SKIP() << "ThreadSanitizer delivers signals late";
  during(updating(), [&] { static_cast<void>(map_.contains(1)); });
  ASSERT_EQ(told_.size(), 1U);
  const std::string& text = told_[0].text;
  EXPECT_THAT(text, ::testing::StartsWith("fatal error: concurrent map read and map write\n"
                                          "vigil: map \"orders\" at 0x"));
  EXPECT_THAT(text, ContainsRegex("vigil: get by thread [0-9]+ \"[^\"]*\", running\n"
                                  "    #0 0x[0-9a-f]+ in "));
  EXPECT_THAT(text, ContainsRegex("vigil: update by thread [0-9]+ \"sleeper\", inside the "
                                  "operation\n    #0 0x[0-9a-f]+ in "));
  EXPECT_THAT(text, ContainsRegex(" in vigil::[^\n]*CheckedMapTest[^\n]* \\([^\n]*/checked_map_test"
                                  "\\+0x[0-9a-f]+\\)\n"));
  EXPECT_THAT(text, Not(HasSubstr("AccessCheck::")));
  EXPECT_THAT(text, ::testing::EndsWith("vigil: end of report\n"));
}

TEST_F(CheckedMapTest, AThreadThatHasEndedIsSaidToHaveEnded) {
  during(visiting(), [&] {
    // The writer is gone when the visit ends and finds out.
    std::thread([&] { map_.insert_or_assign(1, 7); }).join();
  });
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_EQ(told_[0].other_frames, 0U);
  EXPECT_THAT(told_[0].text, HasSubstr("(no stack: the thread has ended)"));
}

TEST_F(CheckedMapTest, AThreadThatBlocksSignalsIsGivenUp) {
  const auto deaf = [this](auto stand) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    map_.update(1, [&](int&) noexcept { stand(); });
  };
  during(deaf, [&] { static_cast<void>(map_.get(1)); });
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_EQ(told_[0].other_frames, 0U);
  EXPECT_THAT(told_[0].text, HasSubstr("(no stack: the thread did not answer in time"));
}

TEST_F(CheckedMapTest, AWriteLingersWhenTheWriterChanges) {
  const std::uint64_t before = map_.stats().lingers_total;
  std::thread([&] { map_.insert_or_assign(1, 7); }).join();
  EXPECT_EQ(map_.stats().lingers_total, before + 1);
  EXPECT_TRUE(told_.empty());
}

TEST_F(CheckedMapTest, SignalHandlersOfTheProgramStillRun) {
  static std::atomic<int> handled{0};
  struct sigaction action = {};
  action.sa_handler = [](int) { handled.fetch_add(1); };
  struct sigaction before = {};
  sigaction(SIGURG, &action, &before);
  raise(SIGURG);
  EXPECT_EQ(handled.load(), 1);
  sigaction(SIGURG, &before, nullptr);
}

// A process that aborts writes the report first.
TEST(CheckedMapDeathTest, TheDefaultPolicyAbortsWithTheReport) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Map map({.name = "sessions"});
        map.insert(1, 1);
        map.visit(1, [&](int) { std::thread([&] { map.erase(1); }).join(); });
      },
      "fatal error: concurrent map read and map write\nvigil: map \"sessions\" at ");
}

TEST(CheckedMapDeathTest, AReadCallbackThatWritesIsNotTakenForAnotherThread) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Map map;
  map.insert(1, 1);
  EXPECT_DEATH(map.visit(1, [&](int) { map.erase(1); }), "called back into the same map");
}

TEST(CheckedMapLogTest, ThePolicyLogWritesTheReportAndGoesOn) {
  Map map({.name = "log", .policy = MisusePolicy::kLog});
  map.insert(1, 1);
  ::testing::internal::CaptureStderr();
  map.visit(1, [&](int) { std::thread([&] { map.insert_or_assign(1, 2); }).join(); });
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("fatal error: concurrent map read and map write"),
                    HasSubstr("vigil: end of report")));
  EXPECT_EQ(map.get(1), 2);
}

}  // namespace
}  // namespace vigil
