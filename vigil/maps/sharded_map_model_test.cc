// SPDX-License-Identifier: Apache-2.0
//
// Random operations on one thread, each compared with std::unordered_map: every result, and from
// time to time the whole content and the invariants. VIGIL_SEED replays a run.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <unordered_map>

#include "vigil/base/random.h"
#include "vigil/maps/sharded_map.h"
#include "vigil/testing/seed.h"

namespace vigil {
namespace {

struct Digits {
  using Key = std::uint64_t;
  using Value = std::uint64_t;
  static Key key(std::uint64_t n) { return n; }
  static Value value(std::uint64_t n) { return n; }
};
// Keys on both sides of the 23 bytes that lie inline.
struct Words {
  using Key = std::string;
  using Value = std::string;
  static Key key(std::uint64_t n) { return std::string(n % 30, '-') + std::to_string(n); }
  static Value value(std::uint64_t n) { return std::to_string(n); }
};

template <class Types>
class ShardedMapModelTest : public ::testing::Test {
 protected:
  using Key = typename Types::Key;
  using Value = typename Types::Value;
  struct Expected {
    Value value;
    Deadline deadline;
  };

  void run(std::uint64_t steps) {
    for (std::uint64_t i = 0; i < steps && !HasFatalFailure(); ++i) {
      // Phases in which the map tends to grow, and then to shrink.
      key_ = Types::key(random_.below(i / 20'000 % 2 == 0 ? 10'000 : 3'000));
      const bool phase_of_growth = i / 40'000 % 2 == 0;
      step((random_.below(100) < 55) == phase_of_growth);
      if (i % 5'000 == 0) compare_everything();
    }
    compare_everything();
  }

 private:
  void step(bool growing) {
    forget_if_expired();
    growing ? add() : remove();
    if (random_.below(10) == 0) pass_time();
    if (random_.below(2'000) == 0) bulk();
    forget_if_expired();
    ASSERT_EQ(map_.get(key_), known());
  }

  void add() {
    const Value value = Types::value(random_.below(5));
    const Deadline deadline =
        random_.below(4) == 0
            ? Deadline::at_unix_ms(clock_.now_ms() + static_cast<std::int64_t>(random_.below(500)) +
                                   1)
            : Deadline::never();
    const std::optional<Value> old = known();
    switch (random_.below(6)) {
      case 0:
        ASSERT_EQ(map_.insert(key_, value, deadline), !old);
        if (!old) model_.insert_or_assign(key_, Expected{value, deadline});
        break;
      case 1: {
        const auto result = map_.get_or_insert(key_, value, deadline);
        ASSERT_EQ(result.inserted, !old);
        ASSERT_EQ(result.value, old.value_or(value));
        if (!old) model_.insert_or_assign(key_, Expected{value, deadline});
        break;
      }
      case 2:
        ASSERT_EQ(map_.exchange(key_, value, deadline), old);
        model_.insert_or_assign(key_, Expected{value, deadline});
        break;
      case 3:
        ASSERT_EQ(map_.update(key_, [&](Value& v) { v = value; }), old.has_value());
        if (old) model_.at(key_).value = value;
        break;
      case 4: {
        const Value expected = Types::value(random_.below(5));
        ASSERT_EQ(map_.compare_exchange(key_, expected, value), old == expected);
        if (old == expected) model_.at(key_).value = value;
        break;
      }
      default:
        ASSERT_EQ(map_.insert_or_assign(key_, value, deadline), !old);
        model_.insert_or_assign(key_, Expected{value, deadline});
    }
  }

  void remove() {
    const std::optional<Value> old = known();
    const Value expected = Types::value(random_.below(5));
    switch (random_.below(4)) {
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
    const Value doomed = Types::value(random_.below(5));
    switch (random_.below(9)) {
      case 8:
        map_.set_shard_count(1U << random_.below(8));
        break;
      case 0:
        map_.clear();
        model_.clear();
        break;
      case 1:
        map_.reserve(random_.below(20'000));
        break;
      case 2:
      case 3:
        forget_all_expired();
        ASSERT_EQ(map_.erase_if([&](const auto&, const Value& v) { return v == doomed; }),
                  std::erase_if(model_, [&](const auto& e) { return e.second.value == doomed; }));
        break;
      default:
        map_.sweep(clock_.now_ms(), random_.below(3'000));
    }
  }

  void pass_time() { clock_.set(clock_.now_ms() + static_cast<std::int64_t>(random_.below(20))); }

  [[nodiscard]] bool expired(const Expected& entry) const {
    return !entry.deadline.is_never() && entry.deadline.unix_ms() <= clock_.now_ms();
  }
  void forget_if_expired() {
    const auto found = model_.find(key_);
    if (found != model_.end() && expired(found->second)) model_.erase(found);
  }
  void forget_all_expired() {
    std::erase_if(model_, [&](const auto& entry) { return expired(entry.second); });
  }
  [[nodiscard]] std::optional<Value> known() const {
    const auto found = model_.find(key_);
    return found == model_.end() ? std::nullopt : std::optional<Value>(found->second.value);
  }

  void compare_everything() {
    map_.check_invariants();
    forget_all_expired();
    std::size_t visited = 0;
    map_.for_each([&](const auto& key, const Value& value) {
      ++visited;
      const auto found = model_.find(Key(key));
      ASSERT_NE(found, model_.end()) << "entry " << key << " should not be there";
      EXPECT_EQ(value, found->second.value);
    });
    ASSERT_EQ(visited, model_.size());
    map_.sweep(clock_.now_ms(), ~std::uint64_t{0});
  }

  Random random_{testing::test_seed()};
  MapClock clock_{1'000'000};
  ShardedMap<Key, Value> map_{{.shards = 4, .max_entries = 1 << 20, .clock = &clock_},
                              DefaultHash<Key>(random_())};
  std::unordered_map<Key, Expected> model_;
  Key key_{};
};

using KeysAndValues = ::testing::Types<Digits, Words>;
TYPED_TEST_SUITE(ShardedMapModelTest, KeysAndValues);

TYPED_TEST(ShardedMapModelTest, EveryResultIsThatOfAPlainMap) { this->run(200'000); }

}  // namespace
}  // namespace vigil
