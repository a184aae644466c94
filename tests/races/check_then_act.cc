// SPDX-License-Identifier: Apache-2.0
//
// Each call on the map is locked, and the decision between two calls is not: both threads find the
// key absent and both create the session.
//
// EXPECT: crash
// EXPECT-FRAME: open_session
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

#include "tests/races/require.h"

namespace {

class Sessions {
 public:
  bool contains(const std::string& user) {
    const std::lock_guard lock(mutex_);
    return sessions_.contains(user);
  }

  bool insert(const std::string& user) {
    const std::lock_guard lock(mutex_);
    return sessions_.emplace(user, 1).second;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, int> sessions_;
};

Sessions sessions;

void open_session() {
#ifdef FIXED
  sessions.insert("alice");
#else
  if (sessions.contains("alice")) return;
  require(sessions.insert("alice"), "the session was opened twice");
#endif
}

}  // namespace

int main() {
  const std::jthread first(open_session);
  const std::jthread second(open_session);
}
