// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/durability/durability.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vigil/base/clock.h"
#include "vigil/base/spin_lock.h"
#include "vigil/log/segment_pool.h"
#include "vigil/orders/orders.h"

namespace vigil::server {
namespace {

namespace fs = std::filesystem;

ServerOptions small_options() {
  ServerOptions options;
  options.threads = 2;
  options.cache.shards = 8;
  options.cache.memory_limit_bytes = std::uint64_t{256} << 20;
  options.durability.segment_bytes = std::uint64_t{8} << 20;
  return options;
}

// A cache with orders that outlives itself: what a server is without its sockets.
class Kept {
 public:
  // An error instead of it if it does not start.
  static Result<std::unique_ptr<Kept>> start(ServerOptions options) {
    Result<std::unique_ptr<DataDirectory>> data = DataDirectory::open(&options);
    if (!data) return data.error();
    std::unique_ptr<Kept> kept(new Kept(std::move(options), *std::move(data)));
    kept->durability_.start({
        .recovered = [&k = *kept](const Result<void>& result) { k.note(result); },
        .committed = [&k = *kept](log::Position position) { k.note(position); },
        .failed = [] {},
        .note = [](std::string_view) {},
        .warning =
            [&k = *kept](std::string_view line) {
              const std::scoped_lock lock(k.mutex_);
              k.warnings_.emplace_back(line);
            },
    });
    std::unique_lock lock(kept->mutex_);
    kept->changed_.wait(lock, [&] { return kept->recovered_.has_value(); });
    if (!*kept->recovered_) return kept->recovered_->error();
    lock.unlock();
    return kept;
  }

  [[nodiscard]] cache::Cache& cache() { return cache_; }
  [[nodiscard]] orders::Orders& orders() { return orders_; }
  [[nodiscard]] Durability& durability() { return durability_; }
  [[nodiscard]] std::vector<std::string> warnings() {
    const std::scoped_lock lock(mutex_);
    return warnings_;
  }

  void set(std::string_view key, std::string_view value,
           std::int64_t deadline_ms = cache::kNoDeadline) {
    EXPECT_EQ(cache_.write(cache_.key(key), unix_ms(),
                           [&](cache::Slot& slot) {
                             slot.assign(cache::Kind::kString, value, deadline_ms);
                           }),
              cache::WriteStatus::kApplied);
  }
  void remove(std::string_view key) {
    EXPECT_EQ(cache_.write(cache_.key(key), unix_ms(), [](cache::Slot& slot) { slot.erase(); }),
              cache::WriteStatus::kApplied);
  }
  [[nodiscard]] std::string get(std::string_view key) {
    std::string value = "none";
    cache_.read(cache_.key(key), unix_ms(), [&](const cache::EntryReader& entry) {
      value.resize(entry.value_size());
      entry.copy_value(value.data());
    });
    return value;
  }
  [[nodiscard]] std::uint64_t version(std::string_view key) {
    cache::EntryHeader header;
    cache_.peek(cache_.key(key), unix_ms(), &header);
    return header.version;
  }
  // Returns when all that was written is committed.
  void commit() {
    const log::Position wanted = durability_.tail();
    durability_.commit_soon();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return committed_ >= wanted; });
  }
  Result<void> snapshot() {
    std::optional<Result<void>> done;
    durability_.snapshotter()->request([&](const Result<void>& result) {
      const std::scoped_lock lock(mutex_);
      done = result;
      changed_.notify_all();
    });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done.has_value(); });
    return *done;
  }

 private:
  Kept(ServerOptions options, std::unique_ptr<DataDirectory> data)
      : options_(std::move(options)),
        cache_(options_.cache),
        orders_(cache_, options_.orders),
        durability_(options_, cache_, std::move(data)) {}

  void note(const Result<void>& result) {
    const std::scoped_lock lock(mutex_);
    recovered_ = result;
    changed_.notify_all();
  }
  void note(log::Position position) {
    const std::scoped_lock lock(mutex_);
    committed_ = position;
    changed_.notify_all();
  }

  const ServerOptions options_;
  cache::Cache cache_;
  orders::Orders orders_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Result<void>> recovered_;
  log::Position committed_ = 0;
  std::vector<std::string> warnings_;
  Durability durability_;
};

class DurabilityTest : public ::testing::Test {
 protected:
  DurabilityTest()
      : root_(fs::path(::testing::TempDir()) / ("durability-" + std::to_string(getpid()))) {
    fs::remove_all(root_);
    options_.data_dir = root_;
  }
  ~DurabilityTest() override { fs::remove_all(root_); }

  std::unique_ptr<Kept> start() {
    Result<std::unique_ptr<Kept>> started = Kept::start(options_);
    EXPECT_TRUE(started) << started.error().message;
    return started ? *std::move(started) : nullptr;
  }
  std::string refusal() {
    const Result<std::unique_ptr<Kept>> started = Kept::start(options_);
    return started ? "it started" : started.error().message;
  }
  [[nodiscard]] std::size_t count(std::string_view prefix) const { return count_in(root_, prefix); }
  [[nodiscard]] static std::size_t count_in(const fs::path& folder, std::string_view prefix) {
    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator(folder)) {
      files += entry.path().filename().string().starts_with(prefix) ? 1 : 0;
    }
    return files;
  }

  const fs::path root_;
  ServerOptions options_ = small_options();
};

orders::OrderEvent order_event(std::string_view id, std::string_view status, std::string_view key) {
  orders::OrderEvent event;
  event.order_id = id;
  event.status = status;
  event.payload = "{}";
  event.has_payload = true;
  event.idempotency_key = key;
  return event;
}

TEST_F(DurabilityTest, EverythingComesBack) {
  const std::int64_t deadline_ms = unix_ms() + 3'600'000;
  std::uint64_t version = 0;
  {
    const auto kept = start();
    kept->set("stays", "one");
    kept->set("stays", "two", deadline_ms);
    kept->set("goes", "x");
    kept->remove("goes");
    kept->set("passes", "x", unix_ms() + 1);
    EXPECT_EQ(kept->orders().apply(order_event("o", "pending", "k"), unix_ms()).outcome,
              orders::OrderOutcome::kCreated);
    version = kept->version("o");
  }
  const auto kept = start();
  EXPECT_EQ(kept->get("stays"), "two");
  cache::EntryHeader header;
  EXPECT_TRUE(kept->cache().peek(kept->cache().key("stays"), unix_ms(), &header));
  EXPECT_EQ(header.deadline_ms, deadline_ms);
  EXPECT_EQ(kept->get("goes"), "none");
  const orders::OrderResult retry =
      kept->orders().apply(order_event("o", "pending", "k"), unix_ms());
  EXPECT_TRUE(retry.replayed);
  EXPECT_EQ(retry.version, version);
  EXPECT_EQ(kept->warnings(), std::vector<std::string>());
}

TEST_F(DurabilityTest, VersionsNeverGoBack) {
  std::uint64_t last = 0;
  {
    const auto kept = start();
    for (int i = 0; i < 10; ++i) kept->set("k", "v");
    kept->remove("k");
  }
  {
    const auto kept = start();
    kept->set("k", "v");
    EXPECT_EQ(kept->version("k"), 11U);
    kept->cache().clear();
    ASSERT_TRUE(kept->snapshot());
  }
  const auto kept = start();
  kept->set("k", "v");
  last = kept->version("k");
  EXPECT_EQ(last, 12U) << "after a clear and a snapshot of nothing";
}

TEST_F(DurabilityTest, ASnapshotTakesThePlaceOfTheLogBeforeIt) {
  {
    const auto kept = start();
    for (int i = 0; i < 30'000; ++i) {
      kept->set("k" + std::to_string(i % 5000), std::string(900, 'a'));
      if (i % 500 == 0) kept->commit();
    }
    kept->commit();
    EXPECT_GT(count("log."), 3U);
    const Result<void> written = kept->snapshot();
    ASSERT_TRUE(written) << written.error().message;
    kept->set("behind", "it");
  }
  EXPECT_EQ(count("snapshot."), 1U);
  const auto kept = start();
  EXPECT_EQ(kept->cache().size(), 5001U);
  EXPECT_EQ(kept->get("k4999"), std::string(900, 'a'));
  EXPECT_EQ(kept->get("behind"), "it");
  EXPECT_EQ(kept->durability().snapshotter()->stats().done_total, 0U);
}

TEST_F(DurabilityTest, ARestartCatchesUpWithWhatACrashLeftToRemove) {
  const fs::path copy = root_.string() + "-copy";
  fs::remove_all(copy);
  {
    const auto kept = start();
    for (int i = 0; i < 15'000; ++i) {
      kept->set("k" + std::to_string(i % 5000), std::string(10'000, 'a'));
      if (i % 500 == 0) kept->commit();
    }
    kept->commit();
    fs::create_directories(copy);
    for (const auto& entry : fs::directory_iterator(root_)) {
      if (entry.path().filename() != "LOCK") fs::copy(entry.path(), copy);
    }
    ASSERT_TRUE(kept->snapshot());
    kept->commit();
    // As if the server had died with its snapshot under its name, and every old segment there; the
    // one in which the snapshot begins may have grown meanwhile, by a mark of an idle log.
    std::string snapshot;
    for (const auto& entry : fs::directory_iterator(root_)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("snapshot.")) snapshot = name;
    }
    fs::copy(root_ / snapshot, copy);
    std::string segment;
    for (const auto& entry : fs::directory_iterator(copy)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("log.") && name.substr(4) <= snapshot.substr(9)) {
        segment = std::max(segment, name);
      }
    }
    fs::copy_file(root_ / segment, copy / segment, fs::copy_options::overwrite_existing);
  }
  // The last two runs', those that are ready, and those to be reused.
  constexpr std::size_t kKeptMax = 4 + log::SegmentPool::kSparesMax;
  EXPECT_GT(count_in(copy, "log."), kKeptMax + 3);
  options_.data_dir = copy;
  {
    const auto kept = start();
    EXPECT_EQ(kept->cache().size(), 5000U);
    // The log's own thread removes the others.
    Backoff backoff;
    while (count_in(copy, "log.") > kKeptMax) backoff.pause();
  }
  fs::remove_all(copy);
}

TEST_F(DurabilityTest, AnotherNumberOfShardsOrHashRoutesAnew) {
  constexpr int kKeys = 500;
  const auto fill = [](Kept& kept) {
    for (int i = 0; i < kKeys; ++i) {
      const std::string id = "o" + std::to_string(i);
      kept.set("s" + std::to_string(i), "v" + std::to_string(i));
      EXPECT_TRUE(orders::order_applied(
          kept.orders().apply(order_event(id, "pending", "key"), unix_ms()).outcome));
    }
  };
  const auto check = [](Kept& kept) {
    EXPECT_EQ(kept.cache().size(), 2U * kKeys);
    for (int i = 0; i < kKeys; ++i) {
      const std::string id = "o" + std::to_string(i);
      EXPECT_EQ(kept.get("s" + std::to_string(i)), "v" + std::to_string(i));
      EXPECT_TRUE(kept.orders().apply(order_event(id, "pending", "key"), unix_ms()).replayed) << id;
    }
    kept.cache().check_invariants();
  };
  fill(*start());
  options_.cache.shards = 32;
  {
    const auto kept = start();
    check(*kept);
    EXPECT_EQ(
        kept->warnings(),
        (std::vector<std::string>{"cache.shards changed from 8 to 32; the data was routed anew"}));
    ASSERT_TRUE(kept->snapshot());
  }
  options_.cache.shards = 4;
  options_.cache.hash = HashAlgorithm::kCrc32;
  {
    const auto kept = start();
    check(*kept);
    kept->cache().clear();
    fill(*kept);
  }
  options_.cache.shards = 64;
  check(*start());
  options_.cache.hash = HashAlgorithm::kXxh3;
  check(*start());
}

// However the data is dealt out between the snapshot and the log behind it.
TEST_F(DurabilityTest, AMemoryLimitBelowTheDataIsRefusedWithTheNumber) {
  constexpr int kEntries = 1200;
  for (const int in_snapshot : {0, kEntries / 3, kEntries * 9 / 10, kEntries}) {
    SCOPED_TRACE(std::to_string(in_snapshot) + " entries in the snapshot");
    fs::remove_all(root_);
    options_.cache.memory_limit_bytes = std::uint64_t{256} << 20;
    {
      const auto kept = start();
      for (int i = 0; i < kEntries; ++i) {
        if (i == in_snapshot) {
          EXPECT_TRUE(kept->snapshot());
        }
        kept->set("k" + std::to_string(i), std::string(40'000, 'x'));
        if (i % 100 == 0) kept->commit();
      }
      if (in_snapshot == kEntries) {
        EXPECT_TRUE(kept->snapshot());
      }
    }
    options_.cache.memory_limit_bytes = std::uint64_t{32} << 20;
    const std::string why = refusal();
    ASSERT_NE(why.find("does not fit into cache.memory_limit, which is 32MiB; it needs about"),
              std::string::npos)
        << why;
    const std::uint64_t needed = std::stoull(why.substr(why.find("about ") + 6));
    EXPECT_GT(needed, 45U);
    EXPECT_LT(needed, 80U);
    options_.cache.memory_limit_bytes = needed << 20;
    const auto kept = start();
    ASSERT_NE(kept, nullptr);
    EXPECT_EQ(kept->cache().size(), std::size_t{kEntries});
  }
}

TEST_F(DurabilityTest, TheSecondServerOnADirectoryIsRefused) {
  const auto kept = start();
  const std::string why = refusal();
  EXPECT_NE(why.find(root_.string()), std::string::npos) << why;
  EXPECT_NE(why.find(std::to_string(getpid())), std::string::npos) << why;
}

TEST_F(DurabilityTest, OffDoesNotLeaveALogAside) {
  options_.durability.mode = "off";
  {
    const auto kept = start();
    kept->set("k", "v");
    EXPECT_EQ(kept->durability().tail(), 0U);
    EXPECT_EQ(kept->durability().snapshotter(), nullptr);
  }
  EXPECT_EQ(count("log."), 0U);
  options_.durability.mode = "everysec";
  start()->set("k", "v");
  options_.durability.mode = "off";
  EXPECT_NE(refusal().find("holds a log"), std::string::npos);
}

TEST_F(DurabilityTest, StoredOrdersKeepTheirStatusesUnderAnotherTable) {
  using Table = orders::TransitionTable;
  const auto table = [](const std::vector<std::string>& initial,
                        const std::vector<Table::Step>& steps) {
    return *Table::create(initial, steps);
  };
  options_.orders.table = table({"new"}, {{"new", "paid"}, {"new", "lost"}, {"paid", "sent"}});
  {
    const auto kept = start();
    for (const char* status : {"new", "paid", "lost"}) {
      EXPECT_TRUE(orders::order_applied(
          kept->orders().apply(order_event(status, "new", ""), unix_ms()).outcome));
      EXPECT_TRUE(orders::order_applied(
          kept->orders().apply(order_event(status, status, ""), unix_ms()).outcome));
    }
  }
  options_.orders.table = table({"draft", "new"}, {{"draft", "new"}, {"new", "paid"}});
  const auto kept = start();
  for (const char* status : {"new", "paid", "lost"}) {
    orders::Order order;
    ASSERT_TRUE(kept->orders().get(status, unix_ms(), &order));
    EXPECT_EQ(kept->orders().table().name(order.status), status);
  }
  EXPECT_EQ(kept->orders().apply(order_event("lost", "paid", ""), unix_ms()).outcome,
            orders::OrderOutcome::kTerminal);
  EXPECT_EQ(kept->orders().apply(order_event("fresh", "", ""), unix_ms()).outcome,
            orders::OrderOutcome::kCreated);
  orders::Order order;
  ASSERT_TRUE(kept->orders().get("fresh", unix_ms(), &order));
  EXPECT_EQ(kept->orders().table().name(order.status), "draft") << "the first initial status";
  EXPECT_EQ(kept->warnings().size(), 3U) << "the table, and two statuses that it lost";
}

TEST_F(DurabilityTest, ALostOrDamagedListOfStatusesIsRefused) {
  start()->set("k", "v");
  const fs::path statuses = root_ / "STATUSES";
  std::ofstream(statuses) << "pending\npai";
  EXPECT_NE(refusal().find("STATUSES: does not end with a line"), std::string::npos) << refusal();
  fs::remove(statuses);
  EXPECT_NE(refusal().find("STATUSES: is missing"), std::string::npos) << refusal();
}

TEST_F(DurabilityTest, StoppingWhileASnapshotIsWrittenLeavesTheLastState) {
  {
    const auto kept = start();
    for (int i = 0; i < 20'000; ++i) kept->set("k" + std::to_string(i), "v");
    EXPECT_TRUE(kept->durability().snapshotter()->begin());
    EXPECT_FALSE(kept->durability().snapshotter()->begin()) << "one at a time";
  }
  EXPECT_EQ(start()->cache().size(), 20'000U);
}

}  // namespace
}  // namespace vigil::server
