// SPDX-License-Identifier: Apache-2.0
//
// The cleaner frees a session that the handler looked up under the lock and uses outside of it. The
// handler's own lock gives an order, so this is no data race when the cleaner came first.
//
// EXPECT: use-after-free | race
// EXPECT-FRAME: handle
#include <memory>
#include <mutex>
#include <thread>

namespace {

struct Session {
  int requests = 0;
};

std::mutex mutex;
std::shared_ptr<Session> session = std::make_shared<Session>();

int handle() {
#ifdef FIXED
  std::shared_ptr<Session> found;
#else
  Session* found = nullptr;
#endif
  {
    const std::lock_guard lock(mutex);
#ifdef FIXED
    found = session;
#else
    found = session.get();
#endif
  }
  if (found == nullptr) return 0;
  { const std::lock_guard lock(mutex); }  // an unrelated critical section
  return found->requests;
}

void clean() {
  const std::lock_guard lock(mutex);
  session.reset();
}

}  // namespace

int main() {
  const std::jthread handler(handle);
  const std::jthread cleaner(clean);
}
