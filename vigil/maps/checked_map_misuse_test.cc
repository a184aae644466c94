// SPDX-License-Identifier: Apache-2.0
//
// Two loads that misuse a map as programs do, each in a process of its own that has to die of it
// with the report: 10 threads that write and read the same 1,000 keys, and 12 threads that mix
// erasing and assigning. VIGIL_RUNS sets how often (100 for the figures of docs/maps.md).
//
// Not built with sanitizers: the loads race on the table itself, on purpose.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/maps/checked_map.h"
#include "vigil/maps/map_family_test.h"

namespace vigil {
namespace {

using maps::testing::on_threads;

int runs() {
  const char* given = std::getenv("VIGIL_RUNS");
  return given != nullptr ? std::atoi(given) : 10;
}

struct Outcome {
  bool detected = false;
  bool both_stacks = false;
  int status = 0;  // of waitpid()
  std::string text;
};

// What a process that runs `load` writes to standard error before it ends.
template <class Load>
Outcome run_in_process(Load load) {
  std::array<int, 2> ends{};
  EXPECT_EQ(pipe(ends.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    load();
    _exit(0);
  }
  close(ends[1]);
  Outcome outcome;
  std::array<char, 4096> buffer{};
  for (ssize_t size = 0; (size = read(ends[0], buffer.data(), buffer.size())) > 0;) {
    outcome.text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  close(ends[0]);
  waitpid(child, &outcome.status, 0);
  outcome.detected = WIFSIGNALED(outcome.status) && WTERMSIG(outcome.status) == SIGABRT &&
                     outcome.text.starts_with("fatal error: concurrent map ");
  const std::regex frames(" by thread [0-9]+ [^\n]*\n    #0 ");
  const auto sides =
      std::distance(std::sregex_iterator(outcome.text.begin(), outcome.text.end(), frames), {});
  outcome.both_stacks = sides == 2;
  return outcome;
}

template <class Load>
void expect_detected(Load load) {
  int detected = 0;
  int both_stacks = 0;
  for (int run = 0; run < runs(); ++run) {
    const Outcome outcome = run_in_process(load);
    detected += outcome.detected ? 1 : 0;
    both_stacks += outcome.both_stacks ? 1 : 0;
    EXPECT_TRUE(outcome.detected) << "run " << run << ", status " << outcome.status << ": "
                                  << outcome.text;
  }
  std::printf("detected in %d of %d runs, both stacks in %d\n", detected, runs(), both_stacks);
  EXPECT_GE(both_stacks * 100, runs() * 90);
}

TEST(CheckedMapMisuseTest, TenThreadsThatWriteAndReadTheSameKeysAreDetected) {
  expect_detected([] {
    CheckedMap<std::string, int> cache({.name = "cache"});
    on_threads(10, [&](int n) {
      for (int i = 0; i < 1'000; ++i) {
        cache.insert_or_assign("key_" + std::to_string(i), n);
        static_cast<void>(cache.get("key_1"));
      }
    });
  });
}

TEST(CheckedMapMisuseTest, TwelveThreadsThatEraseAndAssignAreDetected) {
  expect_detected([] {
    CheckedMap<std::string, int> orders({.name = "orders"});
    on_threads(12, [&](int n) {
      Random random(static_cast<std::uint64_t>(n));
      for (int i = 0; i < 1'000; ++i) {
        const std::string key = "order_" + std::to_string(random.below(100));
        if (random.below(2) == 0) {
          orders.erase(key);
        } else {
          orders.insert_or_assign(key, i);
        }
      }
    });
  });
}

// One writer, as in a cache that one thread fills and others read without a lock.
TEST(CheckedMapMisuseTest, AReaderBesideTheOnlyWriterIsDetected) {
  expect_detected([] {
    CheckedMap<std::string, int> table({.name = "table"});
    std::atomic<int> sum{0};  // what is read is used, or the compiler leaves the lookup out
    on_threads(2, [&](int n) {
      for (int i = 0; i < 500'000; ++i) {
        if (n == 0) {
          table.insert_or_assign("key_" + std::to_string(i % 100), i);
        } else {
          sum.fetch_add(table.get("key_1").value_or(0), std::memory_order_relaxed);
        }
      }
    });
  });
}

}  // namespace
}  // namespace vigil
