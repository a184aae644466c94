// SPDX-License-Identifier: Apache-2.0
//
// The article's load: ten threads assign to one map, a thousand times each.
//
// EXPECT: race
// EXPECT-FRAME: load
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace {

std::mutex mutex;
std::unordered_map<std::string, int> user_cache;

void load() {
  for (int i = 0; i < 1000; ++i) {
#ifdef FIXED
    const std::lock_guard lock(mutex);
#endif
    user_cache["key_" + std::to_string(i)] = i;
  }
}

}  // namespace

int main() {
  std::vector<std::jthread> threads;
  for (int i = 0; i < 10; ++i) threads.emplace_back(load);
}
