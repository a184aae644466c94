// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/session.h"

#include <algorithm>
#include <ctime>
#include <span>
#include <vector>

#include "vigil/base/clock.h"
#include "vigil/server/resp/call.h"
#include "vigil/server/resp/command_table.h"
#include "vigil/server/resp/writer.h"

namespace vigil::server {

namespace {

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char other = b.empty() ? '\0' : b[i % b.size()];
    difference |= static_cast<unsigned>(static_cast<unsigned char>(a[i] ^ other));
  }
  return difference == 0;
}

// At most `size` bytes of `text`, up to its first NUL: Redis prints it as a C string.
std::string_view excerpt(std::string_view text, std::size_t size) {
  return text.substr(0, std::min(size, text.find('\0')));
}

std::string unknown_command(std::span<const std::string_view> args) {
  constexpr std::size_t kShownMax = 128;  // of the name, and of all arguments together
  std::string message = "ERR unknown command '";
  message.append(excerpt(args.front(), kShownMax)).append("', with args beginning with: ");
  std::string shown;
  for (const std::string_view arg : args.subspan(1)) {
    if (shown.size() >= kShownMax) break;
    const std::string_view part = excerpt(arg, kShownMax - shown.size());
    shown.append("'").append(part).append("' ");
  }
  return message + shown;
}

// Whether the reply that begins at `front` is an error.
bool is_error(const Output& output, std::size_t front) {
  return output.size() > front && output.view()[front] == '-';
}

bool pushes(const Command* command) { return command != nullptr && command->has(Command::kPushes); }

// Names the output of a consume() as long as that runs.
class WhileExecuting {
 public:
  WhileExecuting(Output** place, Output& output) : place_(place) { *place_ = &output; }
  ~WhileExecuting() { *place_ = nullptr; }
  WhileExecuting(const WhileExecuting&) = delete;
  WhileExecuting& operator=(const WhileExecuting&) = delete;

 private:
  Output** const place_;
};

// What a browser that was sent here begins its request with.
bool is_http(std::string_view name) {
  return name == "host:" || name == "Host:" || name == "POST" || name == "post";
}

}  // namespace

RespSession::RespSession(RespReactor& reactor, Connection& connection)
    : reactor_(reactor),
      connection_(connection),
      client_(connection, reactor.context.reactor),
      parser_({reactor.context.server.options.request_bytes_max,
               reactor.context.server.options.request_args_max}),
      authenticated_(reactor.context.server.options.password.empty()) {
  reactor_.shared.clients.add(client_);
}

RespSession::~RespSession() {
  stop_monitoring();
  unsubscribe_all();
  reactor_.shared.clients.remove(client_);
}

Consumed RespSession::consume(std::string_view input, Output& output) {
  const std::size_t high_water = reactor_.context.server.options.output_high_water_bytes;
  const WhileExecuting executing(&executing_, output);
  RespBatch& batch = reactor_.batch;
  std::size_t used = 0;
  Parsed parsed = Parsed::kFull;
  wrote_ = false;
  while (parsed == Parsed::kFull && !closing_ && output.size() <= high_water) {
    replied_bytes_ = output.size();
    const std::size_t begin = used;
    parsed = parse_batch(input.substr(used), batch, &used);
    const std::size_t executed = execute_batch(batch, output);
    if (executed == batch.size() || closing_) [[likely]]
      continue;
    // The rest waits in the input until there is room for its replies.
    used = begin + batch.requests()[executed].begin;
    parser_.restart();
    parsed = Parsed::kFull;
  }
  if ((parsed == Parsed::kError || parsed == Parsed::kHttp) && !closing_) {
    replied_bytes_ = output.size();
    parsed == Parsed::kHttp ? refuse_http(output)
                            : RespWriter(output, protocol_).error(parser_.error());
    ++reactor_.tally.errors;
    closing_ = true;
  }
  mid_request_ = parsed == Parsed::kOutOfInput && used < input.size();
  client_.unfinished_bytes.store(static_cast<std::uint32_t>(input.size() - used),
                                 std::memory_order_relaxed);
  return {.bytes = used, .close = closing_, .wrote = wrote_};
}

// In the peer's own language: curl and browsers show the sentence.
void RespSession::refuse_http(Output& output) const {
  const std::uint16_t port = reactor_.context.server.http_port;
  const std::string text =
      "This port speaks RESP, the protocol of Redis; HTTP is " +
      (port == 0 ? std::string("not served") : "served on port " + std::to_string(port)) + ".\n";
  output.append(
      "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
      "Connection: close\r\nContent-Length: ");
  output.append(std::to_string(text.size()) + "\r\n\r\n" + text);
}

void RespSession::answer_fault(Output& output) {
  output.truncate(replied_bytes_);
  RespWriter(output, protocol_).error("ERR internal error");
  reactor_.context.counters.errors.add(1);
}

void RespSession::replies_lost(Output& output) {
  const std::string reason = reactor_.context.server.durability.failure();
  RespWriter(output, protocol_)
      .error(reason.empty() ? "ERR the reply was lost"
                            : "MISCONF the write may be lost: " + reason);
  reactor_.context.counters.errors.add(1);
}

// Parses up to a batch from the front of `input`, adding what it took to *used. Before the client
// has authenticated a batch is one request, because AUTH changes what may be parsed after it.
RespSession::Parsed RespSession::parse_batch(std::string_view input, RespBatch& batch,
                                             std::size_t* used) {
  batch.clear();
  RespArguments& arguments = batch.arguments();
  const std::size_t size_max = authenticated_ ? RespBatch::kRequestsMax : 1;
  std::size_t position = 0;
  Parsed result = Parsed::kFull;
  while (batch.size() < size_max) {
    const std::size_t first_arg = arguments.views.size();
    const std::size_t begin = position;
    const auto status = parser_.parse(input.substr(position), authenticated_, arguments);
    if (status != RespParser::Status::kRequest) {
      result = status == RespParser::Status::kError  ? Parsed::kError
               : status == RespParser::Status::kHttp ? Parsed::kHttp
                                                     : Parsed::kOutOfInput;
      break;
    }
    position += parser_.consumed();
    if (arguments.views.size() != first_arg) add_request(batch, first_arg, begin);
  }
  *used += position;
  return result;
}

// Pass 1 for one request.
void RespSession::add_request(RespBatch& batch, std::size_t first_arg, std::size_t begin) {
  Request& request = batch.add(first_arg);
  request.begin = begin;
  const auto args = batch.args(request);
  // A pipeline mostly repeats its command.
  const Request* const previous = batch.before(request);
  const Command* const command =
      previous != nullptr && batch.args(*previous).front() == args.front()
          ? previous->command
          : reactor_.shared.commands.find(args.front());
  request.command = command;
  const auto key_index = static_cast<std::size_t>(command != nullptr ? command->keys.first : 0);
  if (key_index == 0 || key_index >= args.size()) {
    request.key = {};
    return;
  }
  const cache::Cache& cache = reactor_.context.server.cache;
  request.key = cache.key(args[key_index]);
  cache.prefetch_index(request.key);
}

// Passes 2 and 3.
std::size_t RespSession::execute_batch(const RespBatch& batch, Output& output) {
  if (batch.size() == 0) return 0;
  const std::int64_t started_ns = monotonic_ns();
  const cache::Cache& cache = reactor_.context.server.cache;
  for (const Request& request : batch.requests()) {
    if (request.key.bytes.data() != nullptr) cache.prefetch_entry(request.key);
  }
  const std::int64_t now_ms = reactor_.context.clock.unix_ms();
  client_.active_ms.store(now_ms, std::memory_order_relaxed);
  service_ = reactor_.context.server.durability.service();
  const std::size_t high_water = reactor_.context.server.options.output_high_water_bytes;
  // What a fault ends is booked too: the tally has room for one batch.
  struct Booking {
    RespReactor& reactor;
    const std::int64_t started_ns;
    std::size_t executed = 0;
    bool executing = false;

    ~Booking() {
      const std::size_t requests = executed + (executing ? 1 : 0);
      if (requests == 0) return;
      reactor.tally.flush(reactor.context.counters, reactor.statistics, requests,
                          monotonic_ns() - started_ns);
    }
  } booking{reactor_, started_ns};
  usual_ = service_ == Durability::Service::kFull && authenticated_ && replies_ == Replies::kOn &&
           subscription_count() == 0 && !reactor_.shared.monitors.active();
  for (const Request& request : batch.requests()) {
    if (closing_ || output.size() > high_water) [[unlikely]]
      break;
    booking.executing = true;
    execute(batch, request, now_ms, output);
    booking.executing = false;
    ++booking.executed;
  }
  wrote_ = wrote_ || reactor_.tally.writes != 0;
  return booking.executed;
}

// Inline: entered for each request, from one place.
inline void RespSession::run(const Command& command, std::span<const std::string_view> args,
                             const Request& request, std::int64_t now_ms, Output& output) {
  client_.last_command.store(command.name.data(), std::memory_order_relaxed);
  if (command.has(Command::kWrite)) ++reactor_.tally.writes;
  Call call{*this,
            reactor_,
            command,
            args.subspan(1),
            request.key,
            now_ms,
            RespWriter(output, protocol_)};
  command.handler(call);
}

inline void RespSession::execute(const RespBatch& batch, const Request& request,
                                 std::int64_t now_ms, Output& output) {
  if (!usual_) [[unlikely]]
    return execute_unusual(batch, request, now_ms, output);
  replied_bytes_ = output.size();
  const std::span<const std::string_view> args = batch.args(request);
  const Command* const command = request.command;
  reactor_.tally.count(command);
  const bool accepted = command != nullptr && command->accepts(args.size());
  if (accepted) [[likely]] {
    run(*command, args, request, now_ms, output);
  } else {
    static_cast<void>(refuse(command, args, output));  // which it does
  }
  if (is_error(output, replied_bytes_)) [[unlikely]]
    count_error(accepted, output);
  if (!usual_) [[unlikely]]
    silence(command, /*was_silent=*/false, output);
}

void RespSession::execute_unusual(const RespBatch& batch, const Request& request,
                                  std::int64_t now_ms, Output& output) {
  const bool subscribed = subscription_count() != 0;
  if (subscribed) receive_before_request();
  replied_bytes_ = output.size();
  const bool silent = replies_ != Replies::kOn;
  const std::span<const std::string_view> args = batch.args(request);
  const Command* const command = request.command;
  reactor_.tally.count(command);
  const bool accepted = !refuse(command, args, output);
  if (accepted) {
    if (reactor_.shared.monitors.active()) show_to_monitors(*command, args);
    run(*command, args, request, now_ms, output);
  }
  if (is_error(output, replied_bytes_)) count_error(accepted, output);
  silence(command, silent, output);
  if (subscribed && !pushes(command)) receive_before_reply(output);
}

// The reply of the request that was executed, or not accepted, is an error.
void RespSession::count_error(bool accepted, const Output& output) {
  ++reactor_.tally.errors;
  reactor_.statistics.count_error(output.view().substr(replied_bytes_ + 1));
  const Command* const command = reactor_.tally.last();
  if (command == nullptr) return;
  CommandStatistics::Row& row = reactor_.statistics.of(command->number);
  (accepted ? row.failed : row.rejected).add(1);
}

// Takes back the reply of the request that was executed, which CLIENT REPLY forbids.
void RespSession::silence(const Command* command, bool was_silent, Output& output) {
  const bool pushed = pushes(command) && !is_error(output, replied_bytes_);
  if (replies_ != Replies::kOn && !pushed) output.truncate(replied_bytes_);
  // SKIP is not answered itself, and silences one more.
  if (was_silent && replies_ == Replies::kSkipNext) replies_ = Replies::kOn;
}

// What was published before the request was executed comes before whatever it does: a message is
// not lost to an UNSUBSCRIBE that came later.
void RespSession::receive_before_request() {
  reactor_.shared.pubsub.deliver_pending(reactor_.context.reactor);
}

// What the request itself caused comes before its reply, as in Redis.
void RespSession::receive_before_reply(Output& output) {
  const std::string reply(output.view().substr(replied_bytes_));
  output.truncate(replied_bytes_);
  reactor_.shared.pubsub.deliver_pending(reactor_.context.reactor);
  output.append(reply);
}

// Replies to what must not be executed; false if it may.
bool RespSession::refuse(const Command* command, std::span<const std::string_view> args,
                         Output& output) {
  RespWriter reply(output, protocol_);
  if (command == nullptr) {
    if (is_http(args.front())) closing_ = true;
    reply.error(unknown_command(args));
  } else if (!command->accepts(args.size())) {
    reply.error("ERR wrong number of arguments for '" + std::string(command->name) + "' command");
  } else if (!authenticated_ && !command->has(Command::kNoAuth)) {
    reply.error("NOAUTH Authentication required.");
  } else if (protocol_ == 2 && subscription_count() != 0 && !command->has(Command::kInSubscriber)) {
    reply.error("ERR Can't execute '" + std::string(command->name) +
                "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in "
                "this context");
  } else if (const std::string error = unserved(*command, args); !error.empty()) {
    reply.error(error);
  } else {
    return false;
  }
  return true;
}

std::string RespSession::unserved(const Command& command,
                                  std::span<const std::string_view> args) const {
  using Service = Durability::Service;
  const Command* const sub = args.size() > 1 ? command.find_subcommand(args[1]) : nullptr;
  const Command& executed = sub != nullptr ? *sub : command;
  const Durability& durability = reactor_.context.server.durability;
  switch (service_) {
    case Service::kFull:
      return {};
    case Service::kLoading:
      return executed.has(Command::kLoading) ? std::string() : "LOADING " + durability.sentence();
    case Service::kBehind:
      return executed.has(Command::kWrite) ? "BUSY " + durability.sentence() : std::string();
    case Service::kNoRoom:
      return executed.has(Command::kDenyOom) ? "MISCONF " + durability.sentence() : std::string();
    case Service::kFailed:
      return executed.has(Command::kWrite) ? "MISCONF " + durability.sentence() : std::string();
  }
  return {};
}

// --- For the commands ----------------------------------------------------------------------------

void RespSession::set_protocol(int protocol) {
  protocol_ = protocol;
  client_.protocol.store(protocol, std::memory_order_relaxed);
}

bool RespSession::authenticate(std::string_view user, std::string_view password) {
  const std::string& wanted = reactor_.context.server.options.password;
  if (user != "default") return false;
  if (!wanted.empty() && !equal_in_constant_time(password, wanted)) return false;
  authenticated_ = true;
  return true;
}

std::shared_ptr<ReplyTicket> RespSession::defer_reply(const Output& output) {
  if (!connection_.may_defer_reply()) return nullptr;
  return std::make_shared<ReplyTicket>(connection_.defer_reply(output));
}

bool RespSession::set_name(std::string_view name) {
  const bool fine = Clients::is_word(name);
  if (fine) reactor_.shared.clients.set(client_, Clients::Text::kName, name);
  return fine;
}

void RespSession::reset() {
  stop_monitoring();
  unsubscribe_all();
  set_protocol(2);
  replies_ = Replies::kOn;
  authenticated_ = reactor_.context.server.options.password.empty();
  client_.no_evict.store(false, std::memory_order_relaxed);
  client_.no_touch.store(false, std::memory_order_relaxed);
  reactor_.shared.clients.set(client_, Clients::Text::kName, {});
}

bool RespSession::subscribe(PubSub::Topic topic, std::string_view name) {
  Names& names = topic == PubSub::Topic::kChannel ? channels_ : patterns_;
  if (names.contains(name)) return false;
  Names added;
  added.emplace(name);
  reactor_.shared.pubsub.subscribe(reactor_.context.reactor, *this, topic, name);
  names.merge(added);  // moves the node: allocates nothing
  subscriptions_changed();
  return true;
}

bool RespSession::unsubscribe(PubSub::Topic topic, std::string_view name) {
  Names& names = topic == PubSub::Topic::kChannel ? channels_ : patterns_;
  const auto entry = names.find(name);
  if (entry == names.end()) return false;
  reactor_.shared.pubsub.unsubscribe(reactor_.context.reactor, *this, topic, name);
  names.erase(entry);
  subscriptions_changed();
  return true;
}

// The destructor's: allocates nothing.
void RespSession::unsubscribe_all() {
  for (const PubSub::Topic topic : {PubSub::Topic::kChannel, PubSub::Topic::kPattern}) {
    Names& names = topic == PubSub::Topic::kChannel ? channels_ : patterns_;
    while (!names.empty()) {
      const auto name = names.extract(names.begin());
      reactor_.shared.pubsub.unsubscribe(reactor_.context.reactor, *this, topic, name.value());
    }
  }
  subscriptions_changed();
}

void RespSession::subscriptions_changed() {
  client_.channels.store(static_cast<std::uint32_t>(channels_.size()), std::memory_order_relaxed);
  client_.patterns.store(static_cast<std::uint32_t>(patterns_.size()), std::memory_order_relaxed);
  connection_.set_subscriber(subscription_count() != 0 || monitoring_);
  usual_ = false;
}

// --- Monitors ------------------------------------------------------------------------------------

void RespSession::start_monitoring() {
  if (monitoring_) return;
  reactor_.shared.monitors.add(reactor_.context.reactor, *this);
  monitoring_ = true;
  client_.monitor.store(true, std::memory_order_relaxed);
  subscriptions_changed();
}

void RespSession::stop_monitoring() {
  if (!monitoring_) return;
  reactor_.shared.monitors.remove(reactor_.context.reactor, *this);
  monitoring_ = false;
  client_.monitor.store(false, std::memory_order_relaxed);
  subscriptions_changed();
}

// What administers the server is not shown, and of what authenticates only that it did.
void RespSession::show_to_monitors(const Command& command, std::span<const std::string_view> args) {
  const Command* shown = &command;
  if (!command.subcommands.empty() && args.size() > 1) shown = command.find_subcommand(args[1]);
  if (shown == nullptr || shown->has(Command::kAdmin)) return;
  std::vector<std::string_view> words(args.begin(), args.end());
  if (command.has(Command::kNoAuth)) {
    std::fill(words.begin() + 1, words.end(), std::string_view("(redacted)"));
  }
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const std::int64_t unix_us = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
  reactor_.shared.monitors.show(monitor_line(unix_us, client_.address, words));
}

// The edge of a connection like consume(): it is another peer that is shown.
void RespSession::on_line(std::string_view line) noexcept {
  ReactorContext& context = reactor_.context;
  const auto write = [&] {
    RespWriter(connection_.output(), protocol_).simple(line);
    connection_.request_attention();
  };
  const bool written = contain_faults(context.server.faults, context.counters.connection_faults,
                                      connection_.fault_place(), write);
  if (!written) connection_.request_kill();
}

// The edge of a connection like consume(): it is another peer that published.
void RespSession::on_message(std::string_view pattern, std::string_view channel,
                             std::string_view message) noexcept {
  ReactorContext& context = reactor_.context;
  Output& output = message_output();
  const std::size_t before = output.size();
  const bool written =
      contain_faults(context.server.faults, context.counters.connection_faults,
                     connection_.fault_place(), [&] { write_message(pattern, channel, message); });
  if (written) return;
  output.truncate(before);
  connection_.request_kill();
}

void RespSession::write_message(std::string_view pattern, std::string_view channel,
                                std::string_view message) {
  RespWriter writer(message_output(), protocol_);
  if (pattern.data() == nullptr) {
    writer.push(3);
    writer.bulk("message");
  } else {
    writer.push(4);
    writer.bulk("pmessage");
    writer.bulk(pattern);
  }
  writer.bulk(channel);
  writer.bulk(message);
  reactor_.context.counters.messages_published.add(1);
  connection_.request_attention();
}

}  // namespace vigil::server
