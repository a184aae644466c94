// SPDX-License-Identifier: Apache-2.0
//
// Every public member of every map, called inside every callback of it: the ones that it is given,
// and Hash, Equal, copies and ends of values. Each case runs in a process of its own and either
// works or is stopped at the call with a message. Nothing hangs, crashes or is noticed only later:
// a callback that was stopped does not return.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vigil/maps/checked_map.h"
#include "vigil/maps/read_mostly_map.h"
#include "vigil/maps/rw_map.h"
#include "vigil/maps/sharded_map.h"
#include "vigil/maps/snapshot_map.h"
#include "vigil/maps/striped_map.h"

namespace vigil {
namespace {

// --- Callbacks that are no arguments -------------------------------------------------------------

enum class Where : std::uint8_t { kNowhere, kHash, kEqual, kCopy, kEnd, kValueEqual };

// What the first of these that happens should call.
struct Hook {
  std::atomic<Where> where = Where::kNowhere;
  std::function<void()> call = {};
};
Hook& hook() {
  static Hook instance;
  return instance;
}
void happens(Where where) {
  if (hook().where.compare_exchange_strong(where, Where::kNowhere)) hook().call();
}

struct HookedHash {
  std::uint64_t operator()(const int& key) const {
    happens(Where::kHash);
    return static_cast<std::uint64_t>(key) * 0x9E3779B97F4A7C15ULL;
  }
};
struct HookedEqual {
  bool operator()(const int& a, const int& b) const {
    happens(Where::kEqual);
    return a == b;
  }
};
struct HookedValue {
  explicit HookedValue(int n = 0) : number(n) {}
  HookedValue(const HookedValue& other) : number(other.number) { happens(Where::kCopy); }
  HookedValue(HookedValue&&) noexcept = default;
  HookedValue& operator=(const HookedValue&) = default;
  HookedValue& operator=(HookedValue&&) noexcept = default;
  ~HookedValue() { happens(Where::kEnd); }
  bool operator==(const HookedValue& other) const {
    happens(Where::kValueEqual);
    return number == other.number;
  }
  int number;
};
using Owner = std::unique_ptr<int>;

template <class Value>
Value value_of(int n) {
  if constexpr (std::is_same_v<Value, Owner>) {
    return std::make_unique<int>(n);
  } else {
    return Value(n);
  }
}

// --- Members and callbacks by name ---------------------------------------------------------------

template <class M>
struct Member {
  const char* name;
  std::function<void(M&)> call;
};

// Those that change the map, or may.
template <class M>
std::vector<Member<M>> writes() {
  using Value = typename M::mapped_type;
  std::vector<Member<M>> all = {
      {"insert", [](M& m) { m.insert(5, value_of<Value>(5)); }},
      {"insert_or_assign", [](M& m) { m.insert_or_assign(1, value_of<Value>(5)); }},
      {"exchange", [](M& m) { m.exchange(1, value_of<Value>(5)); }},
      {"update", [](M& m) { m.update(1, [](Value&) {}); }},
      {"erase", [](M& m) { m.erase(1); }},
      {"erase_if(key)", [](M& m) { m.erase_if(1, [](const Value&) { return true; }); }},
      {"take", [](M& m) { m.take(1); }},
      {"erase_if", [](M& m) { m.erase_if([](const int&, const Value&) { return true; }); }},
      {"clear", [](M& m) { m.clear(); }},
      {"reserve", [](M& m) { m.reserve(1'000); }},
      {"shrink_to_fit", [](M& m) { m.shrink_to_fit(); }},
      {"try_emplace", [](M& m) { m.try_emplace(5, value_of<Value>(5)); }},
      {"upsert",
       [](M& m) {
         m.upsert(
             5, [] { return value_of<Value>(5); }, [](Value&) {});
       }},
      {"compute", [](M& m) { m.compute(1, [](std::optional<Value>& value) { value.reset(); }); }},
      {"update_if",
       [](M& m) {
         m.update_if(
             1, [](const Value&) { return true; }, [](Value&) {});
       }},
      {"update_all", [](M& m) { m.update_all([](const int&, Value&) {}); }},
      {"compare_exchange",
       [](M& m) { m.compare_exchange(1, value_of<Value>(1), value_of<Value>(5)); }},
      {"compare_erase", [](M& m) { m.compare_erase(1, value_of<Value>(1)); }},
  };
  if constexpr (std::is_copy_constructible_v<Value>) {
    all.push_back({"get_or_insert", [](M& m) { m.get_or_insert(5, Value(5)); }});
    all.push_back({"get_or_compute", [](M& m) { m.get_or_compute(5, [] { return Value(5); }); }});
    all.push_back({"with_keys", [](M& m) {
                     m.with_keys({1, 5}, [](auto& values) { std::swap(values[0], values[1]); });
                   }});
  }
  if constexpr (requires(M & m) { m.sweep(0, 1); }) {
    all.push_back({"sweep", [](M& m) { m.sweep(0, 1'000); }});
    all.push_back({"set_shard_count", [](M& m) { m.set_shard_count(8); }});
  }
  if constexpr (requires(M & m) { m.reclaim(); }) {
    all.push_back({"reclaim", [](M& m) { m.reclaim(); }});
  }
  if constexpr (requires(M & m) { m.edit([](auto&) {}); }) {
    all.push_back({"edit", [](M& m) { m.edit([](auto& draft) { draft.clear(); }); }});
  }
  return all;
}

template <class M>
std::vector<Member<M>> reads() {
  using Value = typename M::mapped_type;
  std::vector<Member<M>> all = {
      {"visit", [](M& m) { m.visit(1, [](const Value&) {}); }},
      {"contains", [](M& m) { static_cast<void>(m.contains(1)); }},
      {"for_each", [](M& m) { m.for_each([](const int&, const Value&) {}); }},
      {"parallel_for_each", [](M& m) { m.parallel_for_each(2, [](const int&, const Value&) {}); }},
      {"size", [](M& m) { static_cast<void>(m.size()); }},
      {"empty", [](M& m) { static_cast<void>(m.empty()); }},
      {"stats", [](M& m) { static_cast<void>(m.stats()); }},
      {"name", [](M& m) { static_cast<void>(m.name()); }},
      {"check_invariants", [](M& m) { m.check_invariants(); }},
  };
  if constexpr (std::is_copy_constructible_v<Value>) {
    all.push_back({"get", [](M& m) { static_cast<void>(m.get(1)); }});
    if constexpr (requires(M & m) { m.pin(1); }) {
      all.push_back({"pin", [](M& m) { static_cast<void>(m.pin(1)); }});
    }
  }
  if constexpr (requires(M & m) { m.snapshot(); }) {
    all.push_back({"snapshot", [](M& m) { static_cast<void>(m.snapshot()); }});
  }
  return all;
}

// Runs `inside` in a callback of the map.
template <class M>
struct Callback {
  std::string name;
  std::function<void(M&, const std::function<void()>& inside)> run;
};

template <class M>
std::vector<Callback<M>> given_callbacks() {
  using Value = typename M::mapped_type;
  using Inside = const std::function<void()>&;
  std::vector<Callback<M>> all = {
      {"visit", [](M& m, Inside inside) { m.visit(1, [&](const Value&) { inside(); }); }},
      {"for_each",
       [](M& m, Inside inside) { m.for_each([&](const int&, const Value&) { inside(); }); }},
      {"parallel_for_each",
       [](M& m, Inside inside) {
         // One of the threads: what comes back is the process's.
         std::atomic_flag once;
         m.parallel_for_each(2, [&](const int&, const Value&) {
           if (!once.test_and_set()) inside();
         });
       }},
      {"update", [](M& m, Inside inside) { m.update(1, [&](Value&) { inside(); }); }},
      {"upsert of a missing key",
       [](M& m, Inside inside) {
         m.upsert(
             7, [&] { return inside(), value_of<Value>(7); }, [](Value&) {});
       }},
      {"upsert of a present key",
       [](M& m, Inside inside) {
         m.upsert(
             1, [] { return value_of<Value>(7); }, [&](Value&) { inside(); });
       }},
      {"compute of a missing key",
       [](M& m, Inside inside) { m.compute(7, [&](std::optional<Value>&) { inside(); }); }},
      {"compute of a present key",
       [](M& m, Inside inside) { m.compute(1, [&](std::optional<Value>&) { inside(); }); }},
      {"update_if",
       [](M& m, Inside inside) {
         m.update_if(
             1, [&](const Value&) { return inside(), true; }, [](Value&) {});
       }},
      {"update_all",
       [](M& m, Inside inside) { m.update_all([&](const int&, Value&) { inside(); }); }},
      {"erase_if(key)",
       [](M& m, Inside inside) { m.erase_if(1, [&](const Value&) { return inside(), true; }); }},
      {"erase_if",
       [](M& m, Inside inside) {
         m.erase_if([&](const int&, const Value&) { return inside(), true; });
       }},
  };
  if constexpr (std::is_copy_constructible_v<Value>) {
    all.push_back({"get_or_compute", [](M& m, Inside inside) {
                     m.get_or_compute(7, [&] { return inside(), Value(7); });
                   }});
    all.push_back({"with_keys", [](M& m, Inside inside) {
                     m.with_keys({1, 7}, [&](auto&) { inside(); });
                   }});
    if constexpr (requires(M & m) { m.on_expiry({}); }) {
      all.push_back({"the expiry listener in a write", [](M& m, Inside inside) {
                       m.on_expiry([&](const int&, const Value&) { inside(); });
                       m.insert(8, Value(8), Deadline::at_unix_ms(1));
                       m.insert(8, Value(8));
                       m.on_expiry({});
                     }});
      all.push_back({"the expiry listener in a sweep", [](M& m, Inside inside) {
                       m.on_expiry([&](const int&, const Value&) { inside(); });
                       m.insert(8, Value(8), Deadline::at_unix_ms(1));
                       m.sweep(2, 1'000);
                       m.on_expiry({});
                     }});
    }
  }
  if constexpr (requires(M & m) { m.edit([](auto&) {}); }) {
    all.push_back({"edit", [](M& m, Inside inside) { m.edit([&](auto&) { inside(); }); }});
  }
  return all;
}

template <class M>
std::vector<Callback<M>> hooked_callbacks() {
  constexpr std::pair<Where, const char*> kHooks[] = {{Where::kHash, "Hash in "},
                                                      {Where::kEqual, "Equal in "},
                                                      {Where::kCopy, "a copy in "},
                                                      {Where::kEnd, "a value's end in "},
                                                      {Where::kValueEqual, "operator== in "}};
  std::vector<Callback<M>> all;
  for (const auto& [where, prefix] : kHooks) {
    std::vector<Member<M>> members = writes<M>();
    for (Member<M>& member : reads<M>()) members.push_back(std::move(member));
    for (const Member<M>& member : members) {
      all.push_back(
          {std::string(prefix) + member.name,
           [where = where, call = member.call](M& m, const std::function<void()>& inside) {
             hook().call = inside;
             hook().where = where;
             call(m);
             hook().where = Where::kNowhere;
           }});
    }
  }
  return all;
}

// --- Cases ---------------------------------------------------------------------------------------

constexpr int kWorked = 0;
constexpr int kWentOnAfterBeingStopped = 3;
constexpr unsigned kSecondsMax = 20;

// What became of `run`: how the process that ran it ended, and what it said.
struct Ending {
  int status;
  std::string said;
};
Ending in_a_process(const std::function<void()>& run) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    alarm(kSecondsMax);
    dup2(ends[1], STDERR_FILENO);
    run();
    _exit(kWorked);
  }
  close(ends[1]);
  Ending ending{0, {}};
  char buffer[512];
  for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
    ending.said.append(buffer, static_cast<std::size_t>(got));
  }
  close(ends[0]);
  waitpid(child, &ending.status, 0);
  return ending;
}

template <class M>
void run_case(const Callback<M>& callback, const Member<M>& member) {
  const Ending ending = in_a_process([&] {
    M map;
    for (int n = 1; n <= 3; ++n) map.insert(n, value_of<typename M::mapped_type>(n));
    bool inside = false;
    callback.run(map, [&] {
      inside = true;
      member.call(map);
      inside = false;
    });
    if (inside) _exit(kWentOnAfterBeingStopped);
    map.check_invariants();
  });
  const bool worked = WIFEXITED(ending.status) && WEXITSTATUS(ending.status) == kWorked;
  const bool stopped = WIFSIGNALED(ending.status) && WTERMSIG(ending.status) == SIGABRT &&
                       (ending.said.find("called back into the same map") != std::string::npos ||
                        ending.said.find("concurrent map") != std::string::npos);
  EXPECT_TRUE(worked || stopped) << member.name << " inside " << callback.name << ": status "
                                 << ending.status << ", " << ending.said;
}

template <class M>
class MapReentryTest : public ::testing::Test {
 protected:
  static void run_all(const std::vector<Callback<M>>& callbacks) {
    for (const Callback<M>& callback : callbacks) {
      for (const auto& members : {reads<M>(), writes<M>()}) {
        for (const Member<M>& member : members) run_case<M>(callback, member);
      }
    }
  }
};

template <class Value, template <class...> class M>
using Hooked = M<int, Value, HookedHash, HookedEqual>;
template <class Value>
using HookedSharded = ShardedMap<int, Value, HookedHash, HookedEqual>;
using Maps = ::testing::Types<
    HookedSharded<HookedValue>, HookedSharded<Owner>, Hooked<HookedValue, ReadMostlyMap>,
    Hooked<HookedValue, StripedMap>, Hooked<Owner, StripedMap>, Hooked<HookedValue, RwMap>,
    Hooked<Owner, RwMap>, Hooked<HookedValue, SnapshotMap>, Hooked<HookedValue, CheckedMap>,
    Hooked<Owner, CheckedMap>, ShardedMap<int, int>, StripedMap<int, int>, CheckedMap<int, int>>;
TYPED_TEST_SUITE(MapReentryTest, Maps);

TYPED_TEST(MapReentryTest, EveryMemberInsideEveryGivenCallbackWorksOrIsStopped) {
  this->run_all(given_callbacks<TypeParam>());
}

TYPED_TEST(MapReentryTest, EveryMemberInsideHashEqualCopiesAndEndsWorksOrIsStopped) {
  if constexpr (std::is_same_v<typename TypeParam::mapped_type, HookedValue>) {
    this->run_all(hooked_callbacks<TypeParam>());
  }
}

TEST(CheckedMapReentryTest, AWriteInsideAVisitIsStoppedAtTheCall) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  CheckedMap<int, std::string> map;
  map.insert(1, std::string(100, 'a'));
  EXPECT_DEATH(map.visit(1,
                         [&](const std::string&) {
                           map.insert(2, "x");
                           _exit(0);
                         }),
               "called back into the same map");
}

}  // namespace
}  // namespace vigil
