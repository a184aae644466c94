// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/clients.h"

#include <algorithm>

namespace vigil::server {

Client::Client(Connection& client_connection, std::uint32_t client_reactor)
    : connection(client_connection),
      id(client_connection.id()),
      reactor(client_reactor),
      address(peer_address(client_connection.fd())),
      local_address(server::local_address(client_connection.fd())),
      fd(client_connection.fd()),
      created_ms(client_connection.created_ms()),
      active_ms(client_connection.created_ms()) {}

void Clients::add(Client& client) {
  const MutexLock lock(mutex_);
  clients_.emplace(client.id, Registered{&client, {}});
}

void Clients::remove(Client& client) {
  const MutexLock lock(mutex_);
  clients_.erase(client.id);
}

bool Clients::is_word(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '!' && c <= '~'; });
}

void Clients::set(const Client& client, Text which, std::string_view text) {
  const MutexLock lock(mutex_);
  clients_.at(client.id).texts[static_cast<std::size_t>(which)] = text;
}

std::string Clients::name(const Client& client) const {
  const MutexLock lock(mutex_);
  return clients_.at(client.id).texts[static_cast<std::size_t>(Text::kName)];
}

std::string Clients::describe(const Client& client, std::int64_t now_ms) const {
  const MutexLock lock(mutex_);
  return describe_client(client, clients_.at(client.id).texts, now_ms);
}

std::size_t Clients::size() const {
  const MutexLock lock(mutex_);
  return clients_.size();
}

std::string describe_client(const Client& client, const Clients::Texts& texts,
                            std::int64_t now_ms) {
  const auto text = [&](Clients::Text which) { return texts[static_cast<std::size_t>(which)]; };
  const auto number = [](const auto& value) {
    return std::to_string(value.load(std::memory_order_relaxed));
  };
  const std::uint32_t channels = client.channels.load(std::memory_order_relaxed);
  const std::uint32_t patterns = client.patterns.load(std::memory_order_relaxed);
  std::string flags;
  if (client.monitor.load(std::memory_order_relaxed)) flags += 'O';
  if (channels + patterns != 0) flags += 'P';
  if (client.no_evict.load(std::memory_order_relaxed)) flags += 'e';
  if (client.no_touch.load(std::memory_order_relaxed)) flags += 'T';
  if (flags.empty()) flags = "N";
  // Requests are parsed where they lie and replies written where they are sent from: what a client
  // holds of its own is what is left of either.
  const std::size_t unfinished = client.unfinished_bytes.load(std::memory_order_relaxed);
  const std::size_t unsent = client.connection.unsent_bytes();
  const std::int64_t active = client.active_ms.load(std::memory_order_relaxed);
  return "id=" + std::to_string(client.id) + " addr=" + client.address +
         " laddr=" + client.local_address + " fd=" + std::to_string(client.fd) +
         " name=" + text(Clients::Text::kName) +
         " age=" + std::to_string((now_ms - client.created_ms) / 1000) +
         " idle=" + std::to_string((now_ms - active) / 1000) + " flags=" + flags +
         " db=0 sub=" + std::to_string(channels) + " psub=" + std::to_string(patterns) +
         " ssub=0 multi=-1 qbuf=" + std::to_string(unfinished) +
         " qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=" + (unsent == 0 ? "0" : "1") +
         " omem=" + std::to_string(unsent) + " tot-mem=" + std::to_string(unfinished + unsent) +
         " events=r cmd=" + client.last_command.load(std::memory_order_relaxed) +
         " user=default redir=-1 resp=" + number(client.protocol) +
         " lib-name=" + text(Clients::Text::kLibrary) +
         " lib-ver=" + text(Clients::Text::kVersion) + " reactor=" + std::to_string(client.reactor);
}

void Clients::for_each(const std::function<void(const Client&, const Texts&)>& visit) const {
  const MutexLock lock(mutex_);
  for (const auto& [id, registered] : clients_) visit(*registered.client, registered.texts);
}

void Clients::kill(std::uint64_t id) {
  Client* client = nullptr;
  {
    const MutexLock lock(mutex_);
    const auto entry = clients_.find(id);
    if (entry != clients_.end()) client = entry->second.client;
  }
  if (client != nullptr) client->connection.request_kill();
}

}  // namespace vigil::server
