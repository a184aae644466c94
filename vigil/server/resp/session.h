// SPDX-License-Identifier: Apache-2.0
//
// RespSession: one RESP2 or RESP3 client.
//
// Requests are served in batches of up to 64: parse in place, look up the command and prefetch the
// key's index bucket; then prefetch the entries; then execute in order, appending the replies. The
// prefetching hides most of the cache misses of a pipeline. GET and SET allocate nothing.
//
// Thread safety: belongs to one reactor.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "vigil/server/reactor/connection.h"
#include "vigil/server/reactor/session.h"
#include "vigil/server/resp/clients.h"
#include "vigil/server/resp/monitors.h"
#include "vigil/server/resp/parser.h"
#include "vigil/server/resp/pubsub.h"
#include "vigil/server/resp/reactor_state.h"

namespace vigil::server {

class RespSession final : public Session, private Subscriber, private Monitor {
 public:
  using Names = std::set<std::string, std::less<>>;

  RespSession(RespReactor& reactor, Connection& connection);
  ~RespSession() override;

  [[nodiscard]] Consumed consume(std::string_view input, Output& output) override;
  void answer_fault(Output& output) override;
  void replies_lost(Output& output) override;
  [[nodiscard]] bool mid_request() const override { return mid_request_; }

  // --- For the commands ------------------------------------------------------------------------

  enum class Replies : std::uint8_t { kOn, kOff, kSkipNext };

  [[nodiscard]] Client& client() { return client_; }
  [[nodiscard]] int protocol() const { return protocol_; }
  void set_protocol(int protocol);
  [[nodiscard]] bool authenticated() const { return authenticated_; }
  // Compares in constant time; false leaves the session as it was.
  [[nodiscard]] bool authenticate(std::string_view user, std::string_view password);
  // A name that Redis accepts; false if it has spaces or control characters.
  [[nodiscard]] bool set_name(std::string_view name);
  [[nodiscard]] Replies replies() const { return replies_; }
  void set_replies(Replies replies) {
    replies_ = replies;
    usual_ = false;
  }
  void close_after_reply() { closing_ = true; }
  // Leaves a place in `output` for the reply of the running command, to be given later from any
  // thread. Null if the connection has too many of them.
  [[nodiscard]] std::shared_ptr<ReplyTicket> defer_reply(const Output& output);
  // Shows this client every command from now on, until reset().
  void start_monitoring();
  // The state of a new connection, as RESET wants it.
  void reset();

  [[nodiscard]] const Names& subscriptions(PubSub::Topic topic) const {
    return topic == PubSub::Topic::kChannel ? channels_ : patterns_;
  }
  [[nodiscard]] std::size_t subscription_count() const {
    return channels_.size() + patterns_.size();
  }
  // False if it was (subscribe) or was not (unsubscribe) subscribed already.
  bool subscribe(PubSub::Topic topic, std::string_view name);
  bool unsubscribe(PubSub::Topic topic, std::string_view name);
  void unsubscribe_all();

  [[nodiscard]] std::size_t buffer_bytes() const override { return parser_.buffer_bytes(); }

 private:
  enum class Parsed : std::uint8_t { kFull, kOutOfInput, kError, kHttp };

  Parsed parse_batch(std::string_view input, RespBatch& batch, std::size_t* used);
  void add_request(RespBatch& batch, std::size_t first_arg, std::size_t begin);
  // Returns how many requests were executed: it stops when the output is above its high water.
  std::size_t execute_batch(const RespBatch& batch, Output& output);
  inline void execute(const RespBatch& batch, const Request& request, std::int64_t now_ms,
                      Output& output);
  void execute_unusual(const RespBatch& batch, const Request& request, std::int64_t now_ms,
                       Output& output);
  inline void run(const Command& command, std::span<const std::string_view> args,
                  const Request& request, std::int64_t now_ms, Output& output);
  void refuse_http(Output& output) const;
  // `args` begin with the command's name.
  bool refuse(const Command* command, std::span<const std::string_view> args, Output& output);
  // The error of a command that the server cannot execute now; empty if it can.
  [[nodiscard]] std::string unserved(const Command& command,
                                     std::span<const std::string_view> args) const;
  void count_error(bool accepted, const Output& output);
  void silence(const Command* command, bool was_silent, Output& output);
  void subscriptions_changed();

  // Monitors.
  void show_to_monitors(const Command& command, std::span<const std::string_view> args);
  void stop_monitoring();
  void on_line(std::string_view line) noexcept override;

  // Messages. While requests are executed they go between the replies.
  void receive_before_request();
  void receive_before_reply(Output& output);
  [[nodiscard]] Output& message_output() {
    return executing_ != nullptr ? *executing_ : connection_.output();
  }
  void on_message(std::string_view pattern, std::string_view channel,
                  std::string_view message) noexcept override;
  void write_message(std::string_view pattern, std::string_view channel, std::string_view message);

  RespReactor& reactor_;
  Connection& connection_;
  Client client_;
  RespParser parser_;
  int protocol_ = 2;
  bool authenticated_;
  bool closing_ = false;
  bool monitoring_ = false;
  // While a batch is executed: the client is authenticated, is answered, has no subscription, and
  // nobody monitors. What changes that within the batch clears it.
  bool usual_ = true;
  bool mid_request_ = false;
  bool wrote_ = false;                                        // in the running consume()
  Durability::Service service_ = Durability::Service::kFull;  // of the running batch
  std::size_t replied_bytes_ = 0;                             // of the output: whole replies
  Output* executing_ = nullptr;                               // the output of the running consume()
  Replies replies_ = Replies::kOn;
  Names channels_;
  Names patterns_;
};

}  // namespace vigil::server
