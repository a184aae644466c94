// SPDX-License-Identifier: Apache-2.0
//
// PubSub: channels and patterns over all reactors.
//
// Each reactor has a table of its own subscribers, touched by its thread only. A message goes into
// the inbox of every reactor that may have a receiver; the reactor then finds the subscribers in
// its table: when its mail is run, or earlier, where it says so (deliver_pending). Publishing does
// not wait for delivery.
//
// Order: messages that one thread publishes, or several threads under one lock, reach every
// subscriber in that order (task_queue.h). Keyspace events are published by the writer of the key's
// shard, so the events of one key arrive in the order of its changes.
//
// Thread safety: subscribe, unsubscribe, deliver_pending: by the thread of the given reactor; the
// rest by any thread. Lock order: PubSub's mutex is taken last; publish_event takes none.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "vigil/base/mutex.h"
#include "vigil/server/reactor/mailbox.h"
#include "vigil/server/reactor/task_queue.h"

namespace vigil::server {

// Receives messages on its reactor's thread.
class Subscriber {
 public:
  virtual ~Subscriber() = default;
  // `pattern` is empty for a subscription to the channel itself.
  virtual void on_message(std::string_view pattern, std::string_view channel,
                          std::string_view message) noexcept = 0;
};

class PubSub {
 public:
  enum class Topic : std::uint8_t { kChannel, kPattern };

  explicit PubSub(std::vector<Mailbox*> mailboxes);
  ~PubSub();
  PubSub(const PubSub&) = delete;
  PubSub& operator=(const PubSub&) = delete;

  // REQUIRES: the subscriber has no such subscription (subscribe), has it (unsubscribe). If
  // subscribe() throws, it did nothing; unsubscribe() does not throw.
  void subscribe(std::uint32_t reactor, Subscriber& subscriber, Topic topic, std::string_view name);
  void unsubscribe(std::uint32_t reactor, Subscriber& subscriber, Topic topic,
                   std::string_view name);

  // Returns the number of subscriptions that will receive the message.
  std::size_t publish(std::string_view channel, std::string_view message);

  // Delivers what was published before the call, and has not been delivered, to the reactor's own
  // subscribers.
  void deliver_pending(std::uint32_t reactor) { locals_[reactor]->inbox.run(); }

  // Publishes what happened to a key, on its keyspace and keyevent channels. Takes no lock.
  void publish_event(std::string_view key, std::string_view event, bool keyspace, bool keyevent);

  // Channels with subscribers that match `pattern`, sorted.
  [[nodiscard]] std::vector<std::string> channels(std::string_view pattern) const;
  [[nodiscard]] std::size_t subscribers(std::string_view channel) const;
  [[nodiscard]] std::size_t patterns() const;

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  template <class Value>
  using ByName = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

  struct Message {
    std::string channel;
    std::string text;
  };
  // What one reactor knows; used by its thread only, except `subscriptions` and posting.
  struct alignas(64) Local {
    ByName<std::vector<Subscriber*>> channels;
    ByName<std::vector<Subscriber*>> patterns;
    std::atomic<std::uint32_t> subscriptions{0};
    TaskQueue inbox;
  };
  // Subscriptions per reactor.
  using Counts = std::vector<std::uint32_t>;

  void send(std::size_t reactor, const std::shared_ptr<const Message>& message);
  static void deliver(Local& local, const Message& message) noexcept;

  std::vector<Mailbox*> mailboxes_;
  std::vector<std::unique_ptr<Local>> locals_;
  mutable Mutex mutex_;
  ByName<Counts> channel_counts_ VIGIL_GUARDED_BY(mutex_);
  ByName<Counts> pattern_counts_ VIGIL_GUARDED_BY(mutex_);
};

}  // namespace vigil::server
