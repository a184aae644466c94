// SPDX-License-Identifier: Apache-2.0
//
// The cache against the simplest thing that could be right: a std::map and a clock. Random
// operations with a printed seed (VIGIL_SEED replays), over many keys for growth and few for churn.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "vigil/base/random.h"
#include "vigil/cache/cache.h"
#include "vigil/cache/expiry_listener.h"
#include "vigil/testing/seed.h"

namespace vigil::cache {
namespace {

class CacheModelTest : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  struct Entry {
    std::string value;
    std::uint64_t version;
    std::int64_t deadline_ms;
  };

  void expired(const RemovedEntry& entry) {
    const auto found = model_.find(std::string(entry.key));
    ASSERT_NE(found, model_.end()) << "expired twice or never there";
    ASSERT_EQ(found->second.value, entry.value);
    ASSERT_EQ(found->second.deadline_ms, entry.header.deadline_ms);
    ASSERT_LE(entry.header.deadline_ms, now_ms_);
    model_.erase(found);
  }

  std::string random_key() {
    const std::uint64_t id = random_.below(GetParam());
    return std::string(id % 23, 'k') + std::to_string(id);
  }
  std::int64_t random_deadline() {
    if (random_.below(3) == 0) return kNoDeadline;
    return now_ms_ + 1 + static_cast<std::int64_t>(random_.below(1U << random_.below(22)));
  }
  void change(const std::string& key, const std::function<void(Slot&)>& fn) {
    ASSERT_EQ(cache_.write(cache_.key(key), now_ms_,
                           [&](Slot& slot) {
                             const auto found = model_.find(key);
                             ASSERT_EQ(slot.exists(), found != model_.end());
                             if (slot.exists()) {
                               ASSERT_EQ(slot.value(), found->second.value);
                             }
                             fn(slot);
                           }),
              WriteStatus::kApplied);
  }

  void assign() {
    const std::string key = random_key();
    const std::string value(random_.below(1U << random_.below(12)), static_cast<char>(random_()));
    const std::int64_t deadline_ms = random_deadline();
    change(key, [&](Slot& slot) {
      ASSERT_EQ(slot.assign(Kind::kString, value, deadline_ms), AssignStatus::kStored);
      auto& last = last_version_[key];
      ASSERT_GT(slot.version(), last);
      last = slot.version();
      model_[key] = {value, slot.version(), deadline_ms};
    });
  }
  void erase() {
    const std::string key = random_key();
    change(key, [&](Slot& slot) {
      if (slot.exists()) slot.erase();
      model_.erase(key);
    });
  }
  void move_deadline() {
    const std::string key = random_key();
    const std::int64_t deadline_ms = random_deadline();
    change(key, [&](Slot& slot) {
      if (!slot.exists()) return;
      slot.set_deadline(deadline_ms);
      model_[key].deadline_ms = deadline_ms;
    });
  }
  void read() {
    const std::string key = random_key();
    std::string value;
    EntryHeader header;
    const bool hit = cache_.read(cache_.key(key), now_ms_, [&](const EntryReader& entry) {
      header = entry.header();
      value.resize(entry.value_size());
      entry.copy_value(value.data());
    });
    const auto found = model_.find(key);
    const bool expected = found != model_.end() && (found->second.deadline_ms == kNoDeadline ||
                                                    found->second.deadline_ms > now_ms_);
    ASSERT_EQ(hit, expected) << key;
    if (!hit) return;
    ASSERT_EQ(value, found->second.value);
    ASSERT_EQ(header.version, found->second.version);
    ASSERT_EQ(header.deadline_ms, found->second.deadline_ms);
  }
  void pass_time() {
    now_ms_ += static_cast<std::int64_t>(random_.below(1U << random_.below(14)));
    if (random_.below(2) == 0) return;
    while (cache_.collect_expired(0, 1, now_ms_, 1 + random_.below(200)).more) {
    }
    for (const auto& [key, entry] : model_) {
      ASSERT_TRUE(entry.deadline_ms == kNoDeadline || entry.deadline_ms > now_ms_) << key;
    }
  }
  void scan() {
    std::set<std::string> seen;
    std::uint64_t cursor = 0;
    do {
      cursor = cache_.scan(cursor, now_ms_, 100,
                           [&](const Cache::ScannedEntry& entry) { seen.emplace(entry.key); });
    } while (cursor != 0);
    std::set<std::string> expected;
    for (const auto& [key, entry] : model_) {
      if (entry.deadline_ms == kNoDeadline || entry.deadline_ms > now_ms_) expected.insert(key);
    }
    ASSERT_EQ(seen, expected);
  }

  Random random_{vigil::testing::test_seed()};
  Cache cache_{CacheOptions{.shards = 4}};
  ExpiryListener listener_{cache_, [this](const RemovedEntry& entry) { expired(entry); }};
  std::map<std::string, Entry> model_;
  std::map<std::string, std::uint64_t> last_version_;
  std::int64_t now_ms_ = 1'700'000'000'000;
};

TEST_P(CacheModelTest, RandomOperationsAgreeWithAMap) {
  // Growing, then shrinking, then growing again, so that segments split and merge.
  for (int step = 0; step < 120'000 && !HasFatalFailure(); ++step) {
    const bool shrinking = step / 40'000 == 1;
    const std::uint64_t dice = random_.below(100);
    if (dice < (shrinking ? 10U : 40U)) {
      assign();
    } else if (dice < 50) {
      erase();
    } else if (dice < 60) {
      move_deadline();
    } else if (dice < 99) {
      read();
    } else {
      pass_time();
    }
    if (step % 20'000 == 0) {
      scan();
      cache_.check_invariants();
    }
  }
  cache_.check_invariants();
  EXPECT_EQ(cache_.size(), model_.size());
}

INSTANTIATE_TEST_SUITE_P(Keys, CacheModelTest, ::testing::Values(10, 1000, 50'000));

}  // namespace
}  // namespace vigil::cache
