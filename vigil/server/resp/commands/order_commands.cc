// SPDX-License-Identifier: Apache-2.0
//
// ORDER.*: versioned state machines (vigil/orders/orders.h) over RESP. docs/commands.md describes
// the syntax, the replies and the error codes.
#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "vigil/server/resp/commands/deadline.h"
#include "vigil/server/resp/commands/families.h"
#include "vigil/server/resp/commands/key_write.h"

namespace vigil::server {

namespace {

using orders::OrderEvent;
using orders::OrderOutcome;

// A version of at least `least`.
std::uint64_t read_version(Arguments& args, std::int64_t least) {
  const std::int64_t version = args.integer();
  if (version < least) {
    args.fail("ERR value is out of range, must be at least " + std::to_string(least));
  }
  return static_cast<std::uint64_t>(version);
}

// EX seconds, PX milliseconds, PXAT milliseconds.
constexpr std::array kOrderTimeUnits = {Choice<TimeUnit>{"ex", kSecondsFromNow},
                                        Choice<TimeUnit>{"px", kMillisecondsFromNow},
                                        Choice<TimeUnit>{"pxat", kMillisecondsSinceEpoch}};

// One option with its value; each names what follows it.
void read_option(Arguments& args, const Call& call, OrderEvent* event) {
  args.require(args.left() > 1);
  if (const auto unit = args.one_of<TimeUnit>(kOrderTimeUnits)) {
    event->deadline_ms =
        std::min(deadline_ms(args, call, *unit, args.next()), cache::kDeadlineMax_ms);
  } else if (args.option("version")) {
    event->version = read_version(args, 1);
  } else if (args.option("ifversion")) {
    event->if_version = read_version(args, 0);
  } else if (args.option("idempotency")) {
    event->idempotency_key = args.next();
  } else if (event->type == OrderEvent::Type::kTransition && args.option("payload")) {
    event->payload = args.next();
    event->has_payload = true;
  } else {
    args.syntax_error();
  }
}

void read_options(Arguments& args, const Call& call, OrderEvent* event) {
  while (args.more()) read_option(args, call, event);
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
      return call.reply.error(kOutOfMemory);
    case OrderOutcome::kBusy:
      return call.busy();
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
  if (!result.replayed) {
    const bool created = result.outcome == OrderOutcome::kCreated;
    if (created) call.events().notify(KeyspaceEvents::kNew, "new", event.order_id);
    call.events().notify(KeyspaceEvents::kGeneric, event_name, event.order_id);
  }
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

// Reads the options and applies the event, unless they are wrong.
void read_and_apply(Call& call, Arguments& args, OrderEvent& event, std::string_view event_name) {
  event.order_id = call.key.bytes;
  event.wall_ahead_ms = call.wall_clock().ahead_ms();
  read_options(args, call, &event);
  if (!args.ok()) return call.reply.error(args.error());
  apply(call, event, event_name);
}

void put(Call& call) {
  Arguments args = call.after_key();
  OrderEvent event;
  event.type = OrderEvent::Type::kPut;
  event.status = args.next();
  event.payload = args.next();
  event.has_payload = true;
  read_and_apply(call, args, event, "order.put");
}

void transition(Call& call) {
  Arguments args = call.after_key();
  OrderEvent event;
  event.type = OrderEvent::Type::kTransition;
  event.status = args.next();
  read_and_apply(call, args, event, "order.transition");
}

void del(Call& call) {
  Arguments args = call.after_key();
  OrderEvent event;
  event.type = OrderEvent::Type::kDelete;
  read_and_apply(call, args, event, "del");
}

// Reads the order; false after replying null, or an error if the key holds a string.
bool read_order(Call& call, orders::Order* order) {
  if (call.orders().get(call.key, call.now_ms, order)) {
    call.hit();
    return true;
  }
  call.miss(call.key.bytes);
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
  call.reply.integer(expires ? call.wall_clock().shown_at(order.deadline_ms) : -1);
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
    Command{.name = "order.put",
            .arity = -4,
            .flags = Command::kWrite | Command::kDenyOom,
            .categories = Category::kOrder,
            .keys = {1, 1, 1},
            .family = kFamily,
            .handler = put,
            .access = "RW access update",
            .summary = "Stores an order's status and payload"},
    Command{.name = "order.transition",
            .arity = -3,
            .flags = Command::kWrite | Command::kDenyOom,
            .categories = Category::kOrder,
            .keys = {1, 1, 1},
            .family = kFamily,
            .handler = transition,
            .access = "RW access update",
            .summary = "Moves an order to another status"},
    Command{.name = "order.get",
            .arity = 2,
            .flags = Command::kReadOnly | Command::kFast,
            .categories = Category::kOrder,
            .keys = {1, 1, 1},
            .family = kFamily,
            .handler = get,
            .access = "RO access",
            .summary = "Returns an order"},
    Command{.name = "order.del",
            .arity = -2,
            .flags = Command::kWrite,
            .categories = Category::kOrder,
            .keys = {1, 1, 1},
            .family = kFamily,
            .handler = del,
            .access = "RW delete",
            .summary = "Deletes an order, remembering its version"},
    Command{.name = "order.history",
            .arity = 2,
            .flags = Command::kReadOnly,
            .categories = Category::kOrder,
            .keys = {1, 1, 1},
            .family = kFamily,
            .handler = history,
            .access = "RO access",
            .summary = "Returns an order's latest status changes"},
    Command{.name = "order.statuses",
            .arity = 1,
            .flags = Command::kReadOnly,
            .categories = Category::kOrder,
            .family = kFamily,
            .handler = statuses,
            .summary = "Lists the statuses and the steps between them"},
};

}  // namespace

std::span<const Command> order_commands() { return kCommands; }

}  // namespace vigil::server
