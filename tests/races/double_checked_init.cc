// SPDX-License-Identifier: Apache-2.0
//
// Double-checked initialisation with a plain pointer: the check outside the lock reads what another
// thread writes inside it.
//
// EXPECT: race
// EXPECT-FRAME: instance
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

namespace {

struct Configuration {
  int shards = 64;
};

std::mutex mutex;
#ifdef FIXED
std::atomic<Configuration*> configuration{nullptr};
#else
Configuration* configuration = nullptr;
#endif

Configuration& instance() {
  if (configuration == nullptr) {
    const std::lock_guard lock(mutex);
    static std::unique_ptr<Configuration> owner;
    if (owner == nullptr) {
      owner = std::make_unique<Configuration>();
      configuration = owner.get();
    }
  }
  return *configuration;
}

int read_shards() { return instance().shards; }

}  // namespace

int main() {
  const std::jthread first(read_shards);
  const std::jthread second(read_shards);
}
