// SPDX-License-Identifier: Apache-2.0
#include "vigil/apps/service_manager.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <string>

namespace vigil::apps {
namespace {

// The manager's end. A name that begins with '@' is one of the abstract name space.
class Listener {
 public:
  explicit Listener(const std::string& name) : socket_(::socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, name.size());
    if (name.front() == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), size), 0);
  }
  ~Listener() { ::close(socket_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // The next datagram; empty if none is there.
  [[nodiscard]] std::string next() const {
    std::array<char, 200> text{};
    const ssize_t size = ::recv(socket_, text.data(), text.size(), MSG_DONTWAIT);
    return size < 0 ? std::string() : std::string(text.data(), static_cast<std::size_t>(size));
  }

 private:
  int socket_;
};

TEST(ServiceManagerTest, IsToldOnPathsAndAbstractNames) {
  const std::string number = std::to_string(::getpid());
  const std::string path = ::testing::TempDir() + "notify." + number;
  for (const std::string& name : {path, "@vigil-notify-" + number}) {
    const Listener listener(name);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    const ServiceManager manager = ServiceManager::from_environment();
    manager.tell("READY=1\nSTATUS=serves");
    EXPECT_EQ(listener.next(), "READY=1\nSTATUS=serves") << name;
    EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);
  }
  ::unlink(path.c_str());
}

TEST(ServiceManagerTest, TheWatchdogIsForTheProcessThatItNames) {
  const auto interval_ms = [](const char* interval_us, const std::string& process) {
    ::setenv("WATCHDOG_USEC", interval_us, 1);
    if (!process.empty()) ::setenv("WATCHDOG_PID", process.c_str(), 1);
    return ServiceManager::from_environment().watchdog_interval_ms();
  };
  EXPECT_EQ(interval_ms("30000000", std::to_string(::getpid())), 30'000);
  EXPECT_EQ(interval_ms("30000000", ""), 30'000);
  EXPECT_EQ(interval_ms("30000000", "1"), 0);
  EXPECT_EQ(interval_ms("soon", ""), 0);
  EXPECT_EQ(ServiceManager::from_environment().watchdog_interval_ms(), 0);
}

TEST(ServiceManagerTest, WithoutAManagerNothingHappens) {
  ServiceManager::from_environment().tell("READY=1");
  ::setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
  ServiceManager::from_environment().tell("READY=1");
}

}  // namespace
}  // namespace vigil::apps
