// SPDX-License-Identifier: Apache-2.0
//
// A pointer published with memory_order_relaxed: on x86 nothing ever goes wrong, and still no
// happens-before edge orders the object's construction before its use.
//
// EXPECT: race
// EXPECT-FRAME: use
#include <atomic>
#include <thread>

namespace {

#ifdef FIXED
constexpr auto kStore = std::memory_order_release;
constexpr auto kLoad = std::memory_order_acquire;
#else
constexpr auto kStore = std::memory_order_relaxed;
constexpr auto kLoad = std::memory_order_relaxed;
#endif

int payload = 0;
std::atomic<int*> published{nullptr};

void publish() {
  payload = 42;
  published.store(&payload, kStore);
}

int use() {
  const int* seen = published.load(kLoad);
  return seen == nullptr ? 0 : *seen;
}

}  // namespace

int main() {
  const std::jthread writer(publish);
  const std::jthread reader(use);
}
