// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/pubsub.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "vigil/base/check.h"
#include "vigil/server/resp/glob.h"

namespace vigil::server {

namespace {

std::uint32_t sum(const std::vector<std::uint32_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), 0U);
}

}  // namespace

PubSub::PubSub(std::vector<Mailbox*> mailboxes) : mailboxes_(std::move(mailboxes)) {
  for (std::size_t i = 0; i < mailboxes_.size(); ++i) locals_.push_back(std::make_unique<Local>());
}

PubSub::~PubSub() = default;

void PubSub::subscribe(std::uint32_t reactor, Subscriber& subscriber, Topic topic,
                       std::string_view name) {
  Local& local = *locals_[reactor];
  auto& table = topic == Topic::kChannel ? local.channels : local.patterns;
  std::vector<Subscriber*>& subscribers = table[std::string(name)];
  try {
    subscribers.push_back(&subscriber);
    const MutexLock lock(mutex_);
    auto& counts = topic == Topic::kChannel ? channel_counts_ : pattern_counts_;
    const auto counted = counts.try_emplace(std::string(name), locals_.size()).first;
    ++counted->second[reactor];
  } catch (...) {
    std::erase(subscribers, &subscriber);
    if (subscribers.empty()) table.erase(table.find(name));
    throw;
  }
  local.subscriptions.fetch_add(1, std::memory_order_release);
}

void PubSub::unsubscribe(std::uint32_t reactor, Subscriber& subscriber, Topic topic,
                         std::string_view name) {
  Local& local = *locals_[reactor];
  auto& table = topic == Topic::kChannel ? local.channels : local.patterns;
  const auto entry = table.find(name);
  VIGIL_CHECK(entry != table.end(), "unsubscribed from what was not subscribed");
  std::erase(entry->second, &subscriber);
  if (entry->second.empty()) table.erase(entry);
  {
    const MutexLock lock(mutex_);
    auto& counts = topic == Topic::kChannel ? channel_counts_ : pattern_counts_;
    const auto counted = counts.find(name);
    --counted->second[reactor];
    if (sum(counted->second) == 0) counts.erase(counted);
  }
  local.subscriptions.fetch_sub(1, std::memory_order_release);
}

std::size_t PubSub::publish(std::string_view channel, std::string_view message) {
  std::shared_ptr<const Message> shared;
  const MutexLock lock(mutex_);
  Counts receivers(locals_.size());
  const auto add = [&](const Counts& counts) {
    for (std::size_t i = 0; i < counts.size(); ++i) receivers[i] += counts[i];
  };
  if (const auto exact = channel_counts_.find(channel); exact != channel_counts_.end()) {
    add(exact->second);
  }
  for (const auto& [pattern, counts] : pattern_counts_) {
    if (glob_match(pattern, channel)) add(counts);
  }
  for (std::size_t i = 0; i < receivers.size(); ++i) {
    if (receivers[i] == 0) continue;
    if (!shared) {
      shared = std::make_shared<const Message>(Message{std::string(channel), std::string(message)});
    }
    send(i, shared);
  }
  return sum(receivers);
}

void PubSub::publish_event(std::string_view key, std::string_view event, bool keyspace,
                           bool keyevent) {
  const std::string name(event);
  std::shared_ptr<const Message> of_key;
  std::shared_ptr<const Message> of_event;
  for (std::size_t i = 0; i < locals_.size(); ++i) {
    if (locals_[i]->subscriptions.load(std::memory_order_acquire) == 0) continue;
    if (keyspace && !of_key) {
      of_key = std::make_shared<Message>(Message{std::string("__keyspace@0__:").append(key), name});
    }
    if (keyevent && !of_event) {
      of_event = std::make_shared<Message>(Message{"__keyevent@0__:" + name, std::string(key)});
    }
    if (of_key) send(i, of_key);
    if (of_event) send(i, of_event);
  }
}

// The mail is the call to look into the inbox; one is enough until somebody looked.
void PubSub::send(std::size_t reactor, const std::shared_ptr<const Message>& message) {
  Local& local = *locals_[reactor];
  const bool call = local.inbox.post([&local, message] { deliver(local, *message); });
  if (call) mailboxes_[reactor]->post([&local] { local.inbox.run(); });
}

void PubSub::deliver(Local& local, const Message& message) noexcept {
  const auto& [channel, text] = message;
  if (const auto exact = local.channels.find(channel); exact != local.channels.end()) {
    for (Subscriber* subscriber : exact->second) subscriber->on_message({}, channel, text);
  }
  for (const auto& [pattern, subscribers] : local.patterns) {
    if (!glob_match(pattern, channel)) continue;
    for (Subscriber* subscriber : subscribers) subscriber->on_message(pattern, channel, text);
  }
}

std::vector<std::string> PubSub::channels(std::string_view pattern) const {
  std::vector<std::string> names;
  {
    const MutexLock lock(mutex_);
    for (const auto& [name, counts] : channel_counts_) {
      if (glob_match(pattern, name)) names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::size_t PubSub::subscribers(std::string_view channel) const {
  const MutexLock lock(mutex_);
  const auto entry = channel_counts_.find(channel);
  return entry == channel_counts_.end() ? 0 : sum(entry->second);
}

std::size_t PubSub::patterns() const {
  const MutexLock lock(mutex_);
  return pattern_counts_.size();
}

}  // namespace vigil::server
