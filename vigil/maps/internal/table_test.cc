// SPDX-License-Identifier: Apache-2.0
//
// A writer looks for its key before it has the lock. These tests change the table between that
// glimpse and the confirmation under the lock.
#include "vigil/maps/internal/table.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>

#include "vigil/maps/default_hash.h"
#include "vigil/maps/internal/key_codec.h"

namespace vigil::maps::internal {
namespace {

using Codec = KeyCodec<std::uint64_t, DefaultHash<std::uint64_t>, std::equal_to<std::uint64_t>>;
using TestTable = Table<Codec, SlotLayout<Codec::kWords, true, 1>>;

class TableTest : public ::testing::Test {
 protected:
  TestTable::Probe probe(const std::uint64_t& key) const { return {codec_, key}; }
  void insert(std::uint64_t key) { table_.insert(shard_, probe(key).hash(), {key, 0, key + 1}); }
  void expect_found(const std::uint64_t& key, const TestTable::Glimpse& seen) const {
    const TestTable::Place place = table_.find(probe(key), seen);
    ASSERT_TRUE(place.found());
    EXPECT_EQ(table_.words(place)[0], key);
    EXPECT_EQ(place.at, table_.find(probe(key)).at);
  }

  Codec codec_{DefaultHash<std::uint64_t>(1), {}};
  TestTable table_{codec_, 1 << 20, 0, 16};
  Shard shard_;
  const std::uint64_t key_ = 4711;
};

TEST_F(TableTest, WhatWasGlimpsedIsTakenIfNothingChanged) {
  EXPECT_FALSE(table_.find(probe(key_), table_.glimpse(probe(key_))).found());
  insert(key_);
  const TestTable::Glimpse seen = table_.glimpse(probe(key_));
  EXPECT_EQ(seen.at, table_.find(probe(key_)).at);
  expect_found(key_, seen);
}

TEST_F(TableTest, AKeyInsertedAfterTheGlimpseIsFound) {
  const TestTable::Glimpse seen = table_.glimpse(probe(key_));
  insert(key_);
  expect_found(key_, seen);
}

TEST_F(TableTest, AKeyErasedAfterTheGlimpseIsNotFound) {
  insert(key_);
  const TestTable::Glimpse seen = table_.glimpse(probe(key_));
  table_.erase(shard_, table_.find(probe(key_)));
  EXPECT_FALSE(table_.find(probe(key_), seen).found());
}

// Also when the glimpse met the group full and the key went to a later one.
TEST_F(TableTest, AKeyIsFoundWhateverWasInsertedAfterTheGlimpse) {
  for (std::uint64_t others = 1; others < 400; ++others) {
    const TestTable::Glimpse before = table_.glimpse(probe(key_ + others));
    insert(key_ + others);
    expect_found(key_ + others, before);
    insert((key_ + others) << 32);
    expect_found(key_ + others, before);
  }
}

TEST_F(TableTest, AKeyIsFoundWhereItMovedAfterTheGlimpse) {
  insert(key_);
  const TestTable::Glimpse seen = table_.glimpse(probe(key_));
  for (std::uint64_t key = 0; key < 2000; ++key) insert(key);
  expect_found(key_, seen);
}

// Only the directory tells: the segment that was seen holds no other key of that group.
TEST_F(TableTest, AKeyInsertedIntoASuccessorOfAnEmptySegmentIsFound) {
  const TestTable::Glimpse seen = table_.glimpse(probe(key_));
  table_.reserve_at(shard_, 0, 50);
  insert(key_);
  expect_found(key_, seen);
}

}  // namespace
}  // namespace vigil::maps::internal
