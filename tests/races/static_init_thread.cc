// SPDX-License-Identifier: Apache-2.0
//
// A metrics SDK starts its thread while static objects are still being made; the label cache that
// the thread fills is initialised by main at the same time.
//
// EXPECT: race
// EXPECT-FRAME: flush_labels | main
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace {

std::mutex mutex;
std::map<std::string, int> labels;

void flush_labels() {
#ifdef FIXED
  const std::lock_guard lock(mutex);
#endif
  labels["flushes"] = 1;
}

struct Sdk {
  std::jthread flusher{flush_labels};
};

Sdk sdk;

}  // namespace

int main() {
#ifdef FIXED
  const std::lock_guard lock(mutex);
#endif
  labels["started"] = 1;
}
