// SPDX-License-Identifier: Apache-2.0
#include "vigil/apps/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <utility>

namespace vigil::apps {
namespace {

std::string take_variable(const char* name) {
  const char* const value = std::getenv(name);
  std::string text = value == nullptr ? "" : value;
  ::unsetenv(name);
  return text;
}

std::int64_t number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

}  // namespace

ServiceManager ServiceManager::from_environment() {
  constexpr std::int64_t kMicrosPerMilli = 1000;
  ServiceManager manager;
  manager.socket_ = take_variable("NOTIFY_SOCKET");
  const std::int64_t interval_us = number(take_variable("WATCHDOG_USEC"));
  const std::string process = take_variable("WATCHDOG_PID");
  // The watchdog may be meant for another process.
  if (process.empty() || number(process) == ::getpid()) {
    manager.watchdog_interval_ms_ = interval_us / kMicrosPerMilli;
  }
  return manager;
}

void ServiceManager::tell(std::string_view lines) const {
  sockaddr_un address{};
  if (socket_.empty() || socket_.size() >= sizeof(address.sun_path)) return;
  address.sun_family = AF_UNIX;
  socket_.copy(address.sun_path, socket_.size());
  if (socket_.front() == '@') address.sun_path[0] = '\0';  // of the abstract name space
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return;
  [[maybe_unused]] const ssize_t sent = ::sendto(socket, lines.data(), lines.size(), MSG_NOSIGNAL,
                                                 reinterpret_cast<const sockaddr*>(&address), size);
  ::close(socket);
}

}  // namespace vigil::apps
