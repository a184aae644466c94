// SPDX-License-Identifier: Apache-2.0
//
// A map that the program writes and a plugin reads. The plugin has its own copy of the library,
// hidden visibility, and is opened so that no symbol of it is shared.
#include "vigil/maps/map_modules_test.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace vigil {
namespace {

using maps::testing::Canary;
using maps::testing::SharedMap;

class MapModulesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    plugin_ = dlopen(VIGIL_MAP_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(plugin_, nullptr) << dlerror();
    read_until_ = reinterpret_cast<maps::testing::ReadUntil>(dlsym(plugin_, "vigil_read_until"));
    ASSERT_NE(read_until_, nullptr) << dlerror();
  }
  void TearDown() override { dlclose(plugin_); }

  void* plugin_ = nullptr;
  maps::testing::ReadUntil read_until_ = nullptr;
};

TEST_F(MapModulesTest, APluginsReadersKeepTheValuesThatTheyUse) {
  SharedMap map;
  std::atomic<bool> stop{false};
  std::uint64_t ended = 0;
  std::thread reader([&] { ended = read_until_(&map, &stop); });
  for (int i = 0; i < 100'000; ++i) {
    map.insert_or_assign(i % 8, Canary());
    if (i % 64 == 0) map.reclaim();
  }
  stop = true;
  reader.join();
  EXPECT_EQ(ended, 0U);
}

TEST_F(MapModulesTest, AThreadMayReadTheSameMapThroughBothModules) {
  SharedMap map;
  map.insert(1, Canary());
  const std::atomic<bool> stop{true};
  map.visit(1, [&](const Canary& canary) {
    std::thread([&] { map.insert_or_assign(1, Canary()); }).join();
    EXPECT_EQ(read_until_(&map, &stop), 0U);
    map.reclaim();
    EXPECT_EQ(canary.state, Canary::kAlive);
    EXPECT_EQ(map.stats().kept_nodes, 1U);
  });
  map.reclaim();
  EXPECT_EQ(map.stats().retired_nodes, 0U);
}

}  // namespace
}  // namespace vigil
