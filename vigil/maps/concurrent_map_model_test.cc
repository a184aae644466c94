// SPDX-License-Identifier: Apache-2.0
//
// Random operations on one thread over every map, each compared with std::unordered_map: every
// result, and from time to time the whole content and the invariants. VIGIL_SEED replays a run.
#include <gtest/gtest.h>

#include <optional>
#include <unordered_map>

#include "vigil/base/random.h"
#include "vigil/maps/map_family_test.h"
#include "vigil/testing/seed.h"

namespace vigil {
namespace {

template <class C>
class ConcurrentMapModelTest : public ::testing::Test {
 protected:
  using Entries = typename C::Entries;
  using Key = typename C::Key;
  using Value = typename C::Value;

  void run(std::uint64_t steps) {
    for (std::uint64_t i = 0; i < steps && !HasFatalFailure(); ++i) {
      key_ = Entries::key(random_.below(300));
      // Phases in which the map tends to grow, and then to shrink.
      const bool growing = i / 3'000 % 2 == 0;
      (random_.below(100) < 60) == growing ? add() : remove();
      if (random_.below(500) == 0) bulk();
      ASSERT_EQ(map_.get(key_), known());
      if (i % 1'000 == 0) compare_everything();
    }
    compare_everything();
  }

 private:
  void add() {
    Value value = Entries::value(random_.below(5));
    const Value expected = Entries::value(random_.below(5));
    const std::optional<Value> old = known();
    switch (random_.below(10)) {
      case 0:
        ASSERT_EQ(map_.insert(key_, value), !old);
        model_.emplace(key_, value);
        break;
      case 1: {
        const auto result = map_.get_or_insert(key_, value);
        ASSERT_EQ(result.inserted, !old);
        ASSERT_EQ(result.value, old.value_or(value));
        model_.emplace(key_, value);
        break;
      }
      case 2:
        ASSERT_EQ(map_.exchange(key_, value), old);
        model_.insert_or_assign(key_, value);
        break;
      case 3:
        ASSERT_EQ(map_.update(key_, [&](Value& v) { v = value; }), old.has_value());
        if (old) model_.at(key_) = value;
        break;
      case 4:
        ASSERT_EQ(map_.compare_exchange(key_, expected, value), old == expected);
        if (old == expected) model_.at(key_) = value;
        break;
      case 5:
        ASSERT_EQ(map_.try_emplace(key_, value), !old);
        model_.emplace(key_, value);
        break;
      case 6:
        ASSERT_EQ(map_.get_or_compute(key_, [&] { return value; }).value, old.value_or(value));
        model_.emplace(key_, value);
        break;
      case 7:
        ASSERT_EQ(map_.upsert(
                      key_, [&] { return value; }, [&](Value& v) { v = expected; }),
                  !old);
        model_.insert_or_assign(key_, old ? expected : value);
        break;
      case 8:
        ASSERT_EQ(
            map_.update_if(
                key_, [&](const Value& v) { return v == expected; }, [&](Value& v) { v = value; }),
            old == expected);
        if (old == expected) model_.at(key_) = value;
        break;
      default:
        ASSERT_EQ(map_.insert_or_assign(key_, value), !old);
        model_.insert_or_assign(key_, value);
    }
  }

  void remove() {
    const std::optional<Value> old = known();
    const Value expected = Entries::value(random_.below(5));
    switch (random_.below(5)) {
      case 4:
        ASSERT_FALSE(map_.compute(key_, [&](std::optional<Value>& slot) {
          EXPECT_EQ(slot, old);
          slot.reset();
        }));
        break;
      case 0:
        ASSERT_EQ(map_.take(key_), old);
        break;
      case 1:
        ASSERT_EQ(map_.compare_erase(key_, expected), old == expected);
        if (old != expected) return;
        break;
      case 2:
        ASSERT_EQ(map_.erase_if(key_, [&](const Value& v) { return v != expected; }),
                  old && old != expected);
        if (old == expected) return;
        break;
      default:
        ASSERT_EQ(map_.erase(key_), old.has_value());
    }
    model_.erase(key_);
  }

  void bulk() {
    const Value doomed = Entries::value(random_.below(5));
    switch (random_.below(4)) {
      case 0:
        map_.clear();
        model_.clear();
        break;
      case 1:
        map_.reserve(random_.below(2'000));
        break;
      case 2:
        ASSERT_EQ(map_.update_all([&](const auto&, Value& v) {
          if (v == doomed) v = Entries::value(3);
        }),
                  model_.size());
        for (auto& [key, v] : model_) {
          if (v == doomed) v = Entries::value(3);
        }
        break;
      default:
        ASSERT_EQ(map_.erase_if([&](const auto&, const Value& v) { return v == doomed; }),
                  std::erase_if(model_, [&](const auto& e) { return e.second == doomed; }));
    }
  }

  [[nodiscard]] std::optional<Value> known() const {
    const auto found = model_.find(key_);
    return found == model_.end() ? std::nullopt : std::optional<Value>(found->second);
  }

  void compare_everything() {
    map_.check_invariants();
    std::size_t visited = 0;
    map_.for_each([&](const auto& key, const Value& value) {
      ++visited;
      const auto found = model_.find(Key(key));
      ASSERT_NE(found, model_.end()) << "entry " << key << " should not be there";
      EXPECT_EQ(value, found->second);
    });
    ASSERT_EQ(visited, model_.size());
    ASSERT_EQ(map_.size(), model_.size());
  }

  Random random_{testing::test_seed()};
  typename C::Map map_;
  std::unordered_map<Key, Value> model_;
  Key key_{};
};
TYPED_TEST_SUITE(ConcurrentMapModelTest, maps::testing::AllCases);

TYPED_TEST(ConcurrentMapModelTest, EveryResultIsThatOfAPlainMap) { this->run(20'000); }

}  // namespace
}  // namespace vigil
