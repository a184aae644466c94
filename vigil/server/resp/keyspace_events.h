// SPDX-License-Identifier: Apache-2.0
//
// KeyspaceEvents: Redis's keyspace notifications (notify-keyspace-events), published on
// __keyspace@0__:<key> and __keyevent@0__:<event>.
//
// notify() is called by the writer of the key's shard, inside the write, so the events of a key are
// published in the order of its changes. Switched off it costs one relaxed load.
//
// Thread safety: any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vigil/server/resp/pubsub.h"

namespace vigil::server {

class KeyspaceEvents {
 public:
  using Classes = std::uint32_t;
  static constexpr Classes kKeyspace = 1U << 0;  // K
  static constexpr Classes kKeyevent = 1U << 1;  // E
  static constexpr Classes kGeneric = 1U << 2;   // g: DEL, EXPIRE, RENAME, ...
  static constexpr Classes kString = 1U << 3;    // $
  static constexpr Classes kExpired = 1U << 8;   // x
  static constexpr Classes kEvicted = 1U << 9;   // e
  static constexpr Classes kNew = 1U << 12;      // n: a key that was not there
  static constexpr Classes kMiss = 1U << 13;     // m: a read of a key that is not there

  // The letters of Redis's option, also those of types this server does not have.
  [[nodiscard]] static std::optional<Classes> parse(std::string_view letters);
  [[nodiscard]] static std::string format(Classes classes);

  KeyspaceEvents(PubSub& pubsub, Classes classes) : pubsub_(pubsub), classes_(classes) {}

  void set(Classes classes) { classes_.store(classes, std::memory_order_relaxed); }
  [[nodiscard]] Classes get() const { return classes_.load(std::memory_order_relaxed); }

  void notify(Classes of, std::string_view event, std::string_view key) {
    const Classes on = get();
    if ((on & of) == 0 || (on & (kKeyspace | kKeyevent)) == 0) [[likely]]
      return;
    pubsub_.publish_event(key, event, (on & kKeyspace) != 0, (on & kKeyevent) != 0);
  }

 private:
  PubSub& pubsub_;
  std::atomic<Classes> classes_;
};

}  // namespace vigil::server
