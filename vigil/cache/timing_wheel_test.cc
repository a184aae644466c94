// SPDX-License-Identifier: Apache-2.0
#include "vigil/cache/timing_wheel.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/testing/seed.h"

namespace vigil::cache {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'123;
constexpr std::size_t kNoLimit = std::size_t{1} << 40;

// A wheel whose fired tickets are recorded with the time of the advance() that fired them.
class Recorder {
 public:
  explicit Recorder(std::uint32_t phase) : wheel(phase) {}

  bool advance(std::int64_t now_ms, std::size_t budget = kNoLimit) {
    const bool more = wheel.advance(
        now_ms, budget, [](Ref) {}, [&](Ref ref, std::uint32_t) { fired[ref].push_back(now_ms); });
    wheel.check_invariants();
    return more;
  }

  TimingWheel wheel;
  std::map<Ref, std::vector<std::int64_t>> fired;
};

TEST(TimingWheelTest, EveryTicketFiresOnItsExactTick) {
  // One ticket at every distance around the edges of the levels, for several positions in them.
  for (const std::uint32_t phase : {0U, 1U, 255U, 1024U, 65535U}) {
    Recorder recorder(phase);
    std::vector<std::int64_t> deadlines{0};
    for (const std::int64_t edge : {0, 1, 255, 256, 511, 512, 65'535, 65'536, 131'072}) {
      for (std::int64_t around = -3; around <= 3; ++around) {
        if (edge + around <= 0) continue;
        deadlines.push_back(kNow + edge + around);
        recorder.wheel.add(static_cast<Ref>(deadlines.size() - 1), deadlines.back(), kNow);
      }
    }
    for (std::int64_t now = kNow; now <= kNow + 140'000; ++now) recorder.advance(now);
    for (Ref ref = 1; ref < deadlines.size(); ++ref) {
      ASSERT_EQ(recorder.fired[ref], std::vector<std::int64_t>{deadlines[ref]})
          << "distance " << deadlines[ref] - kNow << " phase " << phase;
    }
    EXPECT_EQ(recorder.wheel.tickets(), 0U);
  }
}

TEST(TimingWheelTest, APastDeadlineFiresAtTheNextTick) {
  Recorder recorder(0);
  recorder.wheel.add(1, kNow - 1000, kNow);
  recorder.advance(kNow + 1);
  EXPECT_EQ(recorder.fired[1], std::vector<std::int64_t>{kNow + 1});
}

TEST(TimingWheelTest, NextDueIsNeverLaterThanTheNextTicket) {
  Random random(7);
  Recorder recorder(77);
  std::multimap<std::int64_t, Ref> model;
  std::int64_t now = kNow;
  for (Ref ref = 1; ref <= 3000; ++ref) {
    const auto distance = static_cast<std::int64_t>(1 + random.below(1U << random.below(21)));
    model.emplace(now + distance, ref);
    recorder.wheel.add(ref, now + distance, now);
    ASSERT_LE(recorder.wheel.next_due_ms(), model.begin()->first);
    if (ref % 3 == 0) {
      now = std::max(now, recorder.wheel.next_due_ms());
      recorder.advance(now);
      while (!model.empty() && model.begin()->first <= now) model.erase(model.begin());
    }
  }
  while (recorder.wheel.next_due_ms() != TimingWheel::kNever) {
    ASSERT_GT(recorder.wheel.next_due_ms(), now);
    now = recorder.wheel.next_due_ms();
    recorder.advance(now);
  }
  EXPECT_EQ(recorder.fired.size(), 3000U);
}

TEST(TimingWheelTest, RandomTicketsAndAdvancesAgreeWithAMap) {
  Random random(vigil::testing::test_seed());
  for (int round = 0; round < 20; ++round) {
    Recorder recorder(static_cast<std::uint32_t>(random.below(65536)));
    std::map<Ref, std::int64_t> deadlines;
    std::int64_t now = kNow;
    std::vector<std::int64_t> advances;
    Ref next = 1;
    for (int step = 0; step < 2000; ++step) {
      for (std::uint64_t i = random.below(20); i > 0; --i) {
        const std::int64_t distance =
            1 + static_cast<std::int64_t>(random.below(std::uint64_t{1} << random.below(23)));
        deadlines[next] = now + distance;
        recorder.wheel.add(next++, now + distance, now);
      }
      now += static_cast<std::int64_t>(random.below(std::uint64_t{1} << random.below(16)));
      // Small budgets interrupt cascades; the ticket then fires at the same time, in a later call.
      while (recorder.advance(now, 1 + random.below(50))) {
      }
      advances.push_back(now);
    }
    now += 1 << 23;
    recorder.advance(now);
    advances.push_back(now);
    for (const auto& [ref, deadline] : deadlines) {
      const auto first = std::lower_bound(advances.begin(), advances.end(), deadline);
      ASSERT_EQ(recorder.fired[ref], std::vector<std::int64_t>{*first});
    }
  }
}

TEST(TimingWheelTest, ADeadlineBeyondTheReachIsParkedNotLate) {
  Recorder recorder(0);
  const std::int64_t far = kNow + (std::int64_t{1} << 40);
  const std::uint32_t ticket = recorder.wheel.add(1, far, kNow);
  EXPECT_FALSE(recorder.wheel.too_late(ticket, far));
  recorder.advance(kNow + (1 << 24));
  ASSERT_EQ(recorder.fired[1].size(), 1U);
}

TEST(TimingWheelTest, AnEmptyWheelCatchesUpWithTheClock) {
  Recorder recorder(0);
  const std::int64_t later = kNow + std::int64_t{30} * 24 * 3600 * 1000;
  recorder.wheel.add(1, later + 5, later);
  EXPECT_LE(recorder.wheel.next_due_ms(), later + 5);
  EXPECT_GT(recorder.wheel.next_due_ms(), later);
  recorder.advance(later + 5);
  EXPECT_EQ(recorder.fired[1].size(), 1U);
}

TEST(TimingWheelTest, ScrubbingDropsOnlyOutdatedTickets) {
  Recorder recorder(0);
  for (Ref ref = 1; ref <= 1000; ++ref) recorder.wheel.add(ref, kNow + 100 + ref * 50, kNow);
  for (int i = 0; i < 4000; ++i) {
    recorder.wheel.scrub([](Ref ref, std::uint16_t) { return ref % 2 == 0; });
  }
  EXPECT_EQ(recorder.wheel.tickets(), 500U);
  recorder.advance(kNow + 100'000);
  EXPECT_EQ(recorder.fired.size(), 500U);
}

}  // namespace
}  // namespace vigil::cache
