// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "vigil/maps/internal/flat/flat_map.h"

namespace vigil::maps::internal {
namespace {

// Puts all keys into one group and under one tag.
struct OneHash {
  using is_avalanching = void;
  std::uint64_t operator()(std::uint64_t) const noexcept { return 5; }
};

TEST(FlatTableTest, KeysOfOneHashAreAllFound) {
  FlatMap<std::uint64_t, std::uint64_t, OneHash> map;
  for (std::uint64_t n = 0; n < 500; ++n) ASSERT_TRUE(map.insert(n, n));
  for (std::uint64_t n = 0; n < 500; n += 2) ASSERT_TRUE(map.erase(n));
  for (std::uint64_t n = 0; n < 500; ++n) ASSERT_EQ(map.contains(n), n % 2 == 1);
  map.check_invariants();
}

TEST(FlatTableTest, AnEmptyTableHoldsNoMemory) {
  FlatMap<std::uint64_t, std::uint64_t> map;
  EXPECT_EQ(map.stats().table_bytes, 0U);
  EXPECT_FALSE(map.contains(1));
  map.insert(1, 1);
  EXPECT_GT(map.stats().table_bytes, 0U);
  map.clear();
  EXPECT_EQ(map.stats().table_bytes, 0U);
}

// Overflow bits wear off: a table that is filled and emptied for ever keeps its size.
TEST(FlatTableTest, ChurnDoesNotMakeTheTableGrow) {
  FlatMap<std::uint64_t, std::uint64_t> map;
  for (std::uint64_t n = 0; n < 1'000; ++n) map.insert(n, n);
  const std::uint64_t before = map.stats().slots;
  for (std::uint64_t n = 1'000; n < 200'000; ++n) {
    map.insert(n, n);
    map.erase(n - 1'000);
  }
  EXPECT_LE(map.stats().slots, 2 * before);
  EXPECT_EQ(map.size(), 1'000U);
  map.check_invariants();
}

TEST(FlatTableTest, MemoryOfNumbersIsBetweenTwentyAndFortyBytesAnEntry) {
  FlatMap<std::uint64_t, std::uint64_t> map;
  for (std::uint64_t n = 0; n < 100'000; ++n) {
    map.insert(n, n);
    if (n < 1'000) continue;
    const double bytes = static_cast<double>(map.stats().table_bytes) / static_cast<double>(n + 1);
    ASSERT_GE(bytes, 17.0 / 0.876);
    ASSERT_LE(bytes, 2 * 17.1 / 0.874);
  }
}

// Counts what it hands out.
template <class T>
struct CountingAllocator {
  using value_type = T;
  explicit CountingAllocator(std::int64_t* count) noexcept : bytes(count) {}
  template <class U>
  CountingAllocator(const CountingAllocator<U>& other) noexcept : bytes(other.bytes) {}
  T* allocate(std::size_t n) {
    *bytes += static_cast<std::int64_t>(n * sizeof(T));
    return std::allocator<T>().allocate(n);
  }
  void deallocate(T* memory, std::size_t n) noexcept {
    *bytes -= static_cast<std::int64_t>(n * sizeof(T));
    std::allocator<T>().deallocate(memory, n);
  }
  bool operator==(const CountingAllocator&) const = default;
  std::int64_t* bytes;
};

TEST(FlatTableTest, AllMemoryIsTheAllocators) {
  using Allocator = CountingAllocator<std::pair<const std::string, int>>;
  std::int64_t bytes = 0;
  {
    FlatMap<std::string, int, DefaultHash<std::string>, std::equal_to<std::string>, Allocator> map(
        DefaultHash<std::string>(1), {}, Allocator(&bytes));
    for (int n = 0; n < 200; ++n) map.insert(std::string(40, 'k') + std::to_string(n), n);
    const auto copy = map;
    EXPECT_GE(bytes, 2 * 200 * 40);
    EXPECT_EQ(copy.get(std::string(40, 'k') + "7"), 7);
    map.erase_if([](std::string_view, int n) { return n % 2 == 0; });
  }
  EXPECT_EQ(bytes, 0);
}

// Fails at the n-th copy.
struct Fragile {
  static inline int countdown_ = 0;
  explicit Fragile(int n) : number(n) {}
  Fragile(const Fragile& other) : number(other.number) {
    if (countdown_ > 0 && --countdown_ == 0) throw std::bad_alloc();
  }
  Fragile(Fragile&& other) noexcept : number(other.number) {}
  Fragile& operator=(const Fragile&) = delete;
  Fragile& operator=(Fragile&&) = delete;
  ~Fragile() = default;
  bool operator==(const Fragile&) const = default;
  int number;
};

TEST(FlatTableTest, ACopyThatFailsLeavesTheMapAsItWas) {
  FlatMap<std::string, Fragile> map;
  map.insert("present", Fragile(1));
  const Fragile other(2);
  const auto fails = [&](auto operation) {
    Fragile::countdown_ = 1;
    EXPECT_THROW(operation(), std::bad_alloc);
    Fragile::countdown_ = 0;
    map.check_invariants();
    EXPECT_EQ(map.size(), 1U);
    EXPECT_TRUE(map.visit("present", [](const Fragile& f) { EXPECT_EQ(f.number, 1); }));
  };
  fails([&] { map.insert("absent", other); });
  fails([&] { map.insert_or_assign("present", other); });
  fails([&] { map.exchange("present", other); });
  fails([&] { map.exchange("absent", other); });
  fails([&] { map.get_or_insert("absent", other); });
  fails([&] { map.compare_exchange("present", Fragile(1), other); });
  fails([&] { map.update("present", [](Fragile& f) { f.number = 9; }); });
  fails([&] { std::make_unique<FlatMap<std::string, Fragile>>(map); });
}

TEST(FlatTableTest, AnUpdateThatThrowsKeepsTheValue) {
  FlatMap<std::string, std::string> map;
  map.insert("a", "old");
  EXPECT_THROW(map.update("a",
                          [](std::string& value) {
                            value = "new";
                            throw std::bad_alloc();
                          }),
               std::bad_alloc);
  EXPECT_EQ(map.get("a"), "old");
}

struct FragileHash {
  static inline int countdown_ = 0;
  std::uint64_t operator()(int key) const {
    if (countdown_ > 0 && --countdown_ == 0) throw std::bad_alloc();
    return static_cast<std::uint64_t>(key);
  }
};

TEST(FlatTableTest, AHashThatFailsDuringGrowthLosesNothing) {
  FlatMap<int, int, FragileHash> map;
  for (int n = 0; n < 15; ++n) map.insert(n, n);
  for (int at = 1; at <= 16; ++at) {
    FragileHash::countdown_ = at;
    EXPECT_THROW(map.insert(15, 15), std::bad_alloc);
    FragileHash::countdown_ = 0;
    map.check_invariants();
    ASSERT_EQ(map.size(), 15U);
    for (int n = 0; n < 15; ++n) ASSERT_EQ(map.get(n), n);
  }
  EXPECT_TRUE(map.insert(15, 15));
}

TEST(FlatTableTest, AValueOfTheMapMayBeInsertedWhileItGrows) {
  FlatMap<int, std::string> map;
  map.insert(0, std::string(50, 'x'));
  for (int n = 1; n < 200; ++n) {
    map.visit(0, [&](const std::string& value) { map.insert(n, value); });
  }
  for (int n = 0; n < 200; ++n) ASSERT_EQ(map.get(n), std::string(50, 'x'));
}

}  // namespace
}  // namespace vigil::maps::internal
