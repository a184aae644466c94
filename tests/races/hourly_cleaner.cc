// SPDX-License-Identifier: Apache-2.0
//
// The crash at 3 a.m.: request handlers use the user cache under its lock, and a cleaner that wakes
// up once an hour deletes expired users without it. The waits are real hours.
//
// EXPECT: race
// EXPECT-FRAME: clean_expired
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""min;

constexpr auto kDay = 24h;
constexpr auto kLifetime = 30min;

struct User {
  int visits = 0;
  Clock::time_point expires_at;
};

class UserCache {
 public:
  void visit(const std::string& id) {
    const std::lock_guard lock(mutex_);
    User& user = users_[id];
    ++user.visits;
    user.expires_at = Clock::now() + kLifetime;
  }

  void clean_expired() {
#ifdef FIXED
    const std::lock_guard lock(mutex_);
#endif
    const auto now = Clock::now();
    std::erase_if(users_, [&](const auto& entry) { return entry.second.expires_at < now; });
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, User> users_;
};

UserCache user_cache;

void handle_requests(int handler) {
  const auto end = Clock::now() + kDay;
  for (int request = 0; Clock::now() < end; ++request) {
    user_cache.visit("user_" + std::to_string((handler * 7 + request) % 10));
    std::this_thread::sleep_for(7min);
  }
}

void clean_every_hour() {
  const auto end = Clock::now() + kDay;
  while (Clock::now() < end) {
    std::this_thread::sleep_for(1h);
    user_cache.clean_expired();
  }
}

}  // namespace

int main() {
  const std::jthread first(handle_requests, 1);
  const std::jthread second(handle_requests, 2);
  const std::jthread cleaner(clean_every_hour);
}
