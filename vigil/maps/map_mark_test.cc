// SPDX-License-Identifier: Apache-2.0
//
// What a thread dump says about threads inside the maps of the family: which map, what kind of map,
// which operation. Threads stand still in callbacks, so that a dump finds them there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <functional>
#include <latch>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "vigil/maps/checked_map.h"
#include "vigil/maps/read_mostly_map.h"
#include "vigil/maps/rw_map.h"
#include "vigil/maps/sharded_map.h"
#include "vigil/maps/snapshot_map.h"
#include "vigil/maps/striped_map.h"
#include "vigil/thread_dump/thread_dump.h"

namespace vigil {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string dump() {
  static const bool installed = install_thread_dump({}).has_value();
  EXPECT_TRUE(installed);
  return thread_dump_text("test");
}

// "map write: "orders" (ShardedMap<int, Order>) at 0x7ffc5d0e1a40", as dumps print it.
template <class Map>
std::string line_of(const char* kind, const Map& map, const std::string& type) {
  std::string line = std::string(kind) + ": \"" + map.name() + "\" (" + type + ") at 0x";
  for (int shift = 60; shift >= 0; shift -= 4) {
    const auto digit = reinterpret_cast<std::uintptr_t>(&map) >> shift & 15;
    if (digit != 0 || !line.ends_with("0x")) line += "0123456789abcdef"[digit];
  }
  return line + (type.starts_with("CheckedMap") ? "\n" : ", concurrent\n");
}

// A thread that runs an operation, the callback of which waits to be let go.
class Visitor {
 public:
  template <class Operation>
  explicit Visitor(Operation operation)
      : thread_([this, operation] { operation([this] { stay(); }); }) {
    inside_.wait();
  }
  ~Visitor() { leave(); }
  void leave() {
    if (!thread_.joinable()) return;
    may_leave_.count_down();
    thread_.join();
  }

 private:
  void stay() {
    inside_.count_down();
    may_leave_.wait();
  }

  std::latch inside_{1};
  std::latch may_leave_{1};
  std::thread thread_;
};

template <class M>
struct Type;
// NOLINTBEGIN(bugprone-macro-parentheses): M names a template
#define VIGIL_TYPE(M)                                                     \
  template <>                                                             \
  struct Type<M<std::string, std::string>> {                              \
    static constexpr const char* kName = #M "<std::string, std::string>"; \
  };                                                                      \
  template <>                                                             \
  struct Type<M<int, int>> {                                              \
    static constexpr const char* kName = #M "<int, int>";                 \
  }
VIGIL_TYPE(ShardedMap);
VIGIL_TYPE(ReadMostlyMap);
VIGIL_TYPE(StripedMap);
VIGIL_TYPE(RwMap);
VIGIL_TYPE(SnapshotMap);
VIGIL_TYPE(CheckedMap);
#undef VIGIL_TYPE
// NOLINTEND(bugprone-macro-parentheses)

template <class Map>
class MapMarkTest : public ::testing::Test {
 protected:
  using Key = typename Map::key_type;
  using Value = typename Map::mapped_type;

  static Key entry() {
    if constexpr (std::is_same_v<Key, std::string>) return std::string(30, 'k');
    if constexpr (!std::is_same_v<Key, std::string>) return 7;
  }
  static std::string line(const char* kind, const Map& map) {
    return line_of(kind, map, Type<Map>::kName);
  }

  MapMarkTest() {
    left_.insert(entry(), Value());
    right_.insert(entry(), Value());
  }

  Map left_{{.name = "left"}};
  Map right_{{.name = "right"}};
};

using AllMaps = ::testing::Types<ShardedMap<std::string, std::string>, ShardedMap<int, int>,
                                 ReadMostlyMap<std::string, std::string>, ReadMostlyMap<int, int>,
                                 StripedMap<std::string, std::string>, StripedMap<int, int>,
                                 RwMap<std::string, std::string>, RwMap<int, int>,
                                 SnapshotMap<std::string, std::string>, SnapshotMap<int, int>,
                                 CheckedMap<std::string, std::string>, CheckedMap<int, int>>;
TYPED_TEST_SUITE(MapMarkTest, AllMaps);

TYPED_TEST(MapMarkTest, ADumpNamesBothMapsAndWhatIsDoneToThem) {
  using Content = typename TypeParam::mapped_type;
  const Visitor updates(
      [this](auto stay) { this->left_.update(this->entry(), [&](Content&) { stay(); }); });
  const Visitor iterates(
      [this](auto stay) { this->right_.for_each([&](const auto&, const Content&) { stay(); }); });
  const std::string text = dump();
  EXPECT_THAT(text, HasSubstr(this->line("map write", this->left_)));
  EXPECT_THAT(text, HasSubstr(this->line("map iterate", this->right_)));
}

TYPED_TEST(MapMarkTest, ErasingIsNamedToo) {
  using Content = typename TypeParam::mapped_type;
  const Visitor one([this](auto stay) {
    this->left_.erase_if(this->entry(), [&](const Content&) {
      stay();
      return false;
    });
  });
  const Visitor all([this](auto stay) {
    this->right_.erase_if([&](const auto&, const Content&) {
      stay();
      return false;
    });
  });
  const std::string text = dump();
  EXPECT_THAT(text, HasSubstr(this->line("map erase", this->left_)));
  EXPECT_THAT(text, HasSubstr(this->line("map erase", this->right_)));
}

// ShardedMap and ReadMostlyMap copy a value that lies in the table and call the visitor after the
// read is over.
TYPED_TEST(MapMarkTest, AVisitIsNamedWhereItsCallbackRunsInsideTheMap) {
  using Content = typename TypeParam::mapped_type;
  constexpr bool kIsOutside = std::is_same_v<TypeParam, ShardedMap<int, int>> ||
                              std::is_same_v<TypeParam, ReadMostlyMap<int, int>>;
  const Visitor visits(
      [this](auto stay) { this->left_.visit(this->entry(), [&](const Content&) { stay(); }); });
  if (kIsOutside) {
    EXPECT_THAT(dump(), Not(HasSubstr("\"left\"")));
  } else {
    EXPECT_THAT(dump(), HasSubstr(this->line("map read", this->left_)));
  }
}

TYPED_TEST(MapMarkTest, NothingIsNamedWhenTheOperationIsOver) {
  using Content = typename TypeParam::mapped_type;
  Visitor updates(
      [this](auto stay) { this->left_.update(this->entry(), [&](Content&) { stay(); }); });
  updates.leave();
  EXPECT_THAT(dump(), Not(HasSubstr("\"left\"")));
}

TYPED_TEST(MapMarkTest, OfNestedMapsTheInnermostIsNamed) {
  using Content = typename TypeParam::mapped_type;
  const Visitor nests([this](auto stay) {
    this->left_.update(this->entry(), [&](Content&) {
      this->right_.update(this->entry(), [&](Content&) { stay(); });
    });
  });
  const std::string text = dump();
  EXPECT_THAT(text, HasSubstr(this->line("map write", this->right_)));
  EXPECT_THAT(text, Not(HasSubstr("\"left\"")));
}

TYPED_TEST(MapMarkTest, AnExceptionEndsTheMark) {
  using Content = typename TypeParam::mapped_type;
  EXPECT_ANY_THROW(this->left_.update(this->entry(), [](Content&) { throw 1; }));
  EXPECT_EQ(MapMark::current(), nullptr);
}

// A thread that waits for another's callback is inside the map as well. CheckedMap does not wait.
template <class Map>
class WaitingMarkTest : public MapMarkTest<Map> {};
using WaitingMaps =
    ::testing::Types<ShardedMap<int, int>, ReadMostlyMap<int, int>, StripedMap<int, int>,
                     StripedMap<std::string, std::string>, RwMap<int, int>, SnapshotMap<int, int>>;
TYPED_TEST_SUITE(WaitingMarkTest, WaitingMaps);

TYPED_TEST(WaitingMarkTest, AThreadThatWaitsForTheMapIsNamed) {
  using Content = typename TypeParam::mapped_type;
  Visitor updates(
      [this](auto stay) { this->left_.update(this->entry(), [&](Content&) { stay(); }); });
  std::thread waits([this] { this->left_.erase(this->entry()); });
  constexpr int kDumpsMax = 100'000;  // only a mark that is missing reaches it
  std::string text;
  const std::string expected = this->line("map erase", this->left_);
  for (int i = 0; i < kDumpsMax && text.find(expected) == std::string::npos; ++i) text = dump();
  updates.leave();
  waits.join();
  EXPECT_THAT(text, HasSubstr(expected));
}

// --- A fatal report ------------------------------------------------------------------------------

// What a child that runs `scene` writes to standard error before it dies.
std::string last_words_of(const std::function<void()>& scene) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    const rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    dup2(ends[1], STDERR_FILENO);
    scene();
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t got = 0; (got = read(ends[0], buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) << text;
  return text;
}

void misuse(CheckedMap<int, int>& map) {
  map.insert(1, 1);
  const Visitor updates([&](auto stay) { map.update(1, [&](int&) { stay(); }); });
  map.insert(2, 2);  // ends the process
}

TEST(FatalReportTest, TheReportNamesTheMapAndBothOperationsWithoutADump) {
  const std::string text = last_words_of([] {
    CheckedMap<int, int> map({.name = "orders"});
    misuse(map);
  });
  EXPECT_THAT(text, HasSubstr("fatal error: concurrent map writes\n"));
  EXPECT_THAT(text, HasSubstr("vigil: map \"orders\" at 0x"));
  EXPECT_THAT(text, HasSubstr("vigil: insert by thread "));
  EXPECT_THAT(text, HasSubstr("vigil: update by thread "));
  EXPECT_THAT(text, HasSubstr("inside the operation\n"));
}

TEST(FatalReportTest, TheDumpThatFollowsNamesTheMapForBothThreads) {
  const std::string text = last_words_of([] {
    CheckedMap<int, int> map({.name = "orders"});
    static_cast<void>(install_thread_dump({}));  // an error where the parent has it already
    misuse(map);
  });
  EXPECT_THAT(text, HasSubstr("vigil: map \"orders\" at 0x"));
  std::size_t marks = 0;
  const std::string mark = "  map write: \"orders\" (CheckedMap<int, int>) at 0x";
  for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos; ++at) ++marks;
  EXPECT_EQ(marks, 2U) << text;
}

}  // namespace
}  // namespace vigil
