// SPDX-License-Identifier: Apache-2.0
//
// operator[] under a shared lock: it looks like a read and inserts.
//
// EXPECT: race
// EXPECT-FRAME: visits
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <unordered_map>

namespace {

std::shared_mutex mutex;
std::unordered_map<std::string, int> counts;

int visits(const std::string& page) {
#ifdef FIXED
  const std::unique_lock lock(mutex);
#else
  const std::shared_lock lock(mutex);
#endif
  return counts[page];
}

}  // namespace

int main() {
  const std::jthread first([] { visits("/orders"); });
  const std::jthread second([] { visits("/users"); });
}
