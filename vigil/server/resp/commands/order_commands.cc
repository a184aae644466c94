// SPDX-License-Identifier: Apache-2.0
//
// ORDER.*: versioned state machines (vigil/orders/orders.h) over RESP. docs/commands.md describes
// the syntax, the replies and the error codes.
#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string>

#include "vigil/server/resp/command.h"
#include "vigil/server/resp/commands/key_access.h"
#include "vigil/server/resp/number.h"

namespace vigil::server {

namespace {

using orders::OrderEvent;
using orders::OrderOutcome;

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

// An integer option of at least `least`; nothing after replying with an error.
std::optional<std::int64_t> option_value(Call& call, std::size_t index, std::int64_t least) {
  const auto value = call.integer(index);
  if (value && *value < least) {
    call.reply.error("ERR value is out of range, must be at least " + std::to_string(least));
    return std::nullopt;
  }
  return value;
}

// The deadline of EX, PX or PXAT at args[index]; nothing after replying with an error.
std::optional<std::int64_t> deadline_option(Call& call, std::size_t index) {
  const auto number = call.integer(index + 1);
  if (!number) return std::nullopt;
  const std::int64_t unit_ms = call.is(index, "ex") ? 1000 : 1;
  const std::int64_t base_ms = call.is(index, "pxat") ? 0 : call.now_ms;
  if (*number <= 0 || *number > (kMax - base_ms) / unit_ms) {
    call.reply.error("ERR invalid expire time in '" + std::string(call.command.name) + "' command");
    return std::nullopt;
  }
  return std::min(base_ms + *number * unit_ms, cache::kMaxDeadlineMs);
}

// One option with its value at args[index]; false after replying with an error.
bool parse_option(Call& call, std::size_t index, OrderEvent* event) {
  const std::string_view value = call.args[index + 1];
  if (call.is(index, "version") || call.is(index, "ifversion")) {
    const bool own = call.is(index, "version");
    const auto version = option_value(call, index + 1, own ? 1 : 0);
    if (!version) return false;
    (own ? event->version : event->if_version) = static_cast<std::uint64_t>(*version);
  } else if (call.is(index, "ex") || call.is(index, "px") || call.is(index, "pxat")) {
    event->deadline_ms = deadline_option(call, index);
    return event->deadline_ms.has_value();
  } else if (call.is(index, "idempotency")) {
    event->idempotency_key = value;
  } else if (call.is(index, "payload") && event->type == OrderEvent::Type::kTransition) {
    event->payload = value;
    event->has_payload = true;
  } else {
    call.syntax_error();
    return false;
  }
  return true;
}

// Reads the options from args[index] on; false after replying with an error.
bool parse_options(Call& call, std::size_t index, OrderEvent* event) {
  for (; index < call.args.size(); index += 2) {
    if (index + 1 == call.args.size()) {
      call.syntax_error();
      return false;
    }
    if (!parse_option(call, index, event)) return false;
  }
  return true;
}

std::string stored_state(Call& call, const orders::OrderResult& result) {
  if (result.version == 0) return "the order was deleted or has expired";
  return "stored version is " + std::to_string(result.version) + ", status " +
         call.orders().table().name(result.status);
}

void refuse(Call& call, const OrderEvent& event, const orders::OrderResult& result) {
  switch (result.outcome) {
    case OrderOutcome::kNotFound:
      return call.reply.error("NOTFOUND no such order");
    case OrderOutcome::kVersionMismatch:
      return call.reply.error("CONFLICT " + stored_state(call, result));
    case OrderOutcome::kStale:
      return call.reply.error("STALE " + stored_state(call, result));
    case OrderOutcome::kTerminal:
      return call.reply.error("TERMINAL " + stored_state(call, result));
    case OrderOutcome::kIllegalTransition:
      return call.reply.error("ILLEGAL no step to '" + std::string(event.status) + "', " +
                              stored_state(call, result));
    case OrderOutcome::kUnknownStatus:
      return call.reply.error("BADSTATUS unknown status '" + std::string(event.status) +
                              "', ORDER.STATUSES lists them");
    case OrderOutcome::kIdempotencyConflict:
      return call.reply.error("IDEMPOTENCY the key was used with another request");
    case OrderOutcome::kWrongKind:
      return call.wrong_type();
    case OrderOutcome::kTooLarge:
      return call.reply.error("TOOLARGE key or payload exceeds the maximum allowed size");
    case OrderOutcome::kOutOfMemory:
      return assign_error(call, cache::AssignStatus::kOutOfMemory, event.order_id);
    case OrderOutcome::kBusy:
      ++call.reactor.tally.busy;
      return call.reply.error("BUSY shard queue is full, retry");
    case OrderOutcome::kCreated:
    case OrderOutcome::kUpdated:
    case OrderOutcome::kDeleted:
      break;
  }
}

void apply(Call& call, const OrderEvent& event, std::string_view event_name) {
  const orders::OrderResult result = call.orders().apply(event, call.now_ms);
  call.reactor.context.counters.order_outcomes[static_cast<std::size_t>(result.outcome)].add(1);
  if (!orders::order_applied(result.outcome)) return refuse(call, event, result);
  if (!result.replayed) call.events().notify(KeyspaceEvents::kGeneric, event_name, event.order_id);
  call.reply.map(4);
  call.reply.bulk("outcome");
  call.reply.bulk(orders::order_outcome_name(result.outcome));
  call.reply.bulk("version");
  call.reply.integer(static_cast<std::int64_t>(result.version));
  call.reply.bulk("status");
  call.reply.bulk(call.orders().table().name(result.status));
  call.reply.bulk("replayed");
  call.reply.integer(result.replayed ? 1 : 0);
}

void put(Call& call) {
  OrderEvent event;
  event.type = OrderEvent::Type::kPut;
  event.order_id = call.args[1];
  event.status = call.args[2];
  event.payload = call.args[3];
  event.has_payload = true;
  if (parse_options(call, 4, &event)) apply(call, event, "order.put");
}

void transition(Call& call) {
  OrderEvent event;
  event.type = OrderEvent::Type::kTransition;
  event.order_id = call.args[1];
  event.status = call.args[2];
  if (parse_options(call, 3, &event)) apply(call, event, "order.transition");
}

void del(Call& call) {
  OrderEvent event;
  event.type = OrderEvent::Type::kDelete;
  event.order_id = call.args[1];
  if (parse_options(call, 2, &event)) apply(call, event, "del");
}

// Reads the order; false after replying null, or an error if the key holds a string.
bool read_order(Call& call, orders::Order* order) {
  if (call.orders().get(call.key, call.now_ms, order)) {
    call.hit();
    return true;
  }
  call.miss();
  cache::EntryHeader header;
  const bool other =
      call.cache().peek(call.key, call.now_ms, &header) && header.kind == cache::Kind::kString;
  other ? call.wrong_type() : call.reply.null();
  return false;
}

void get(Call& call) {
  orders::Order order;
  if (!read_order(call, &order)) return;
  const bool expires = order.deadline_ms != cache::kNoDeadline;
  call.reply.map(6);
  call.reply.bulk("status");
  call.reply.bulk(call.orders().table().name(order.status));
  call.reply.bulk("version");
  call.reply.integer(static_cast<std::int64_t>(order.version));
  call.reply.bulk("payload");
  call.reply.bulk(order.payload);
  call.reply.bulk("updated_ms");
  call.reply.integer(order.updated_ms);
  call.reply.bulk("deadline_ms");
  call.reply.integer(expires ? order.deadline_ms : -1);
  call.reply.bulk("ttl_ms");
  call.reply.integer(expires ? std::max<std::int64_t>(order.deadline_ms - call.now_ms, 0) : -1);
}

void history(Call& call) {
  orders::Order order;
  if (!read_order(call, &order)) return;
  call.reply.array(order.history.size());
  for (const orders::OrderChange& change : order.history) {
    call.reply.map(3);
    call.reply.bulk("status");
    call.reply.bulk(call.orders().table().name(change.status));
    call.reply.bulk("version");
    call.reply.integer(static_cast<std::int64_t>(change.version));
    call.reply.bulk("at_ms");
    call.reply.integer(change.at_ms);
  }
}

void statuses(Call& call) {
  const orders::TransitionTable& table = call.orders().table();
  const auto count = static_cast<orders::TransitionTable::StatusId>(table.names().size());
  call.reply.array(count);
  for (orders::TransitionTable::StatusId from = 0; from < count; ++from) {
    std::size_t steps = 0;
    for (orders::TransitionTable::StatusId to = 0; to < count; ++to) {
      if (to != from && table.allowed(from, to)) ++steps;
    }
    call.reply.map(4);
    call.reply.bulk("status");
    call.reply.bulk(table.name(from));
    call.reply.bulk("initial");
    call.reply.boolean_integer(table.initial(from));
    call.reply.bulk("terminal");
    call.reply.boolean_integer(table.terminal(from));
    call.reply.bulk("next");
    call.reply.array(steps);
    for (orders::TransitionTable::StatusId to = 0; to < count; ++to) {
      if (to != from && table.allowed(from, to)) call.reply.bulk(table.name(to));
    }
  }
}

constexpr auto kFamily = CommandFamily::kOrder;

constexpr std::array kCommands = {
    Command{"order.put", -4, Command::kWrite | Command::kDenyOom, 1, 1, 1, kFamily, put,
            "Stores an order's status and payload"},
    Command{"order.transition", -3, Command::kWrite | Command::kDenyOom, 1, 1, 1, kFamily,
            transition, "Moves an order to another status"},
    Command{"order.get", 2, Command::kReadOnly | Command::kFast, 1, 1, 1, kFamily, get,
            "Returns an order"},
    Command{"order.del", -2, Command::kWrite, 1, 1, 1, kFamily, del,
            "Deletes an order, remembering its version"},
    Command{"order.history", 2, Command::kReadOnly, 1, 1, 1, kFamily, history,
            "Returns an order's latest status changes"},
    Command{"order.statuses", 1, Command::kReadOnly, 0, 0, 0, kFamily, statuses,
            "Lists the statuses and the steps between them"},
};

}  // namespace

std::span<const Command> order_commands() { return kCommands; }

}  // namespace vigil::server
