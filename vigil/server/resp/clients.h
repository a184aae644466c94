// SPDX-License-Identifier: Apache-2.0
//
// Clients: the RESP connections of all reactors, for CLIENT LIST and CLIENT KILL.
//
// Thread safety: any thread may list; a record is changed by the thread of its connection, and what
// others may read of it meanwhile is atomic or guarded by the registry's mutex.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "vigil/base/mutex.h"
#include "vigil/server/reactor/connection.h"

namespace vigil::server {

struct Client {
  Client(Connection& client_connection, std::uint32_t client_reactor);

  Connection& connection;  // used by the client's reactor only, but for unsent_bytes()
  const std::uint64_t id;
  const std::uint32_t reactor;
  const std::string address;
  const std::string local_address;
  const int fd;
  const std::int64_t created_ms;

  std::atomic<std::int64_t> active_ms;
  std::atomic<const char*> last_command{"NULL"};
  std::atomic<std::uint32_t> channels{0};
  std::atomic<std::uint32_t> patterns{0};
  std::atomic<int> protocol{2};
  std::atomic<bool> no_evict{false};
  std::atomic<bool> no_touch{false};
  std::atomic<bool> monitor{false};
  std::atomic<std::uint32_t> unfinished_bytes{0};  // of a request
};

class Clients {
 public:
  void add(Client& client);
  void remove(Client& client);

  // What a client says of itself.
  enum class Text : std::uint8_t { kName, kLibrary, kVersion };
  using Texts = std::array<std::string, 3>;
  // Whether a text is one: no spaces, no control characters.
  [[nodiscard]] static bool is_word(std::string_view text);

  // REQUIRES: is_word(text).
  void set(const Client& client, Text which, std::string_view text);
  [[nodiscard]] std::string name(const Client& client) const;
  // The client's line of CLIENT LIST.
  [[nodiscard]] std::string describe(const Client& client, std::int64_t now_ms) const;
  [[nodiscard]] std::size_t size() const;

  // Calls visit(client, texts) for all in the order of their ids; it must not call this registry.
  void for_each(const std::function<void(const Client&, const Texts&)>& visit) const;
  // Closes the connection, if it still exists. REQUIRES: on the thread of its reactor.
  void kill(std::uint64_t id);

 private:
  struct Registered {
    Client* client;
    Texts texts;
  };

  mutable Mutex mutex_;
  std::map<std::uint64_t, Registered> clients_ VIGIL_GUARDED_BY(mutex_);
};

// The line of CLIENT LIST, without its line end.
[[nodiscard]] std::string describe_client(const Client& client, const Clients::Texts& texts,
                                          std::int64_t now_ms);

}  // namespace vigil::server
