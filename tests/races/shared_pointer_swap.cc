// SPDX-License-Identifier: Apache-2.0
//
// A std::shared_ptr that one thread replaces while another copies it: the count of references is
// atomic, the pointer itself is not.
//
// EXPECT: race | use-after-free
// EXPECT-FRAME: reload | serve
#include <memory>
#include <mutex>
#include <thread>

namespace {

std::mutex mutex;
std::shared_ptr<const int> configuration = std::make_shared<const int>(64);

void reload() {
  auto fresh = std::make_shared<const int>(128);
#ifdef FIXED
  const std::lock_guard lock(mutex);
#endif
  configuration = fresh;
}

int serve() {
#ifdef FIXED
  const std::lock_guard lock(mutex);
#endif
  const std::shared_ptr<const int> mine = configuration;
  return *mine;
}

}  // namespace

int main() {
  const std::jthread reloader(reload);
  const std::jthread server(serve);
}
