// SPDX-License-Identifier: Apache-2.0
//
// Monitors: the clients that asked to see every command, on all reactors.
//
//   if (monitors.active()) monitors.show(monitor_line(now_us, address, words));
//
// As publish/subscribe (pubsub.h): each reactor has a table of its own monitors, and a line goes as
// a task into the mailbox of every reactor that has one. Lines of one thread arrive in their order.
//
// Thread safety: add, remove: by the thread of the given reactor; the rest by any thread. Without a
// monitor active() is one relaxed load.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/server/reactor/mailbox.h"

namespace vigil::server {

// Receives lines on its reactor's thread.
class Monitor {
 public:
  virtual ~Monitor() = default;
  virtual void on_line(std::string_view line) noexcept = 0;
};

class Monitors {
 public:
  explicit Monitors(std::vector<Mailbox*> mailboxes);

  void add(std::uint32_t reactor, Monitor& monitor);
  // REQUIRES: it was added. Does not throw.
  void remove(std::uint32_t reactor, Monitor& monitor);

  [[nodiscard]] bool active() const { return count_.load(std::memory_order_relaxed) != 0; }
  void show(std::string line);

 private:
  struct alignas(64) Local {
    std::vector<Monitor*> monitors;
    std::atomic<std::uint32_t> count{0};
  };

  const std::vector<Mailbox*> mailboxes_;
  std::vector<std::unique_ptr<Local>> locals_;
  std::atomic<std::uint32_t> count_{0};
};

// 1339518083.107412 [0 127.0.0.1:60866] "set" "key" "a value"
[[nodiscard]] std::string monitor_line(std::int64_t unix_us, std::string_view address,
                                       std::span<const std::string_view> words);

}  // namespace vigil::server
