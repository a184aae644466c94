// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/http/order_http.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "vigil/server/http/text.h"
#include "vigil/text/json_writer.h"
#include "vigil/text/utf8.h"

namespace vigil::server {

namespace {

using orders::OrderEvent;
using orders::OrderOutcome;
using orders::OrderResult;

constexpr std::string_view kOrdersPath = "/orders/";
constexpr std::string_view kBulkPath = "/orders:bulk";
constexpr std::string_view kHistorySuffix = "/history";

// Payload buffers above this size are given back after the request.
constexpr std::size_t kKeptPayloadBytes = std::size_t{64} << 10;

bool require_media_type(const HttpRequest& request, HttpReply* reply) {
  if (!request.has(HttpField::kContentType)) return true;
  const std::string_view type = request.field(HttpField::kContentType);
  if (is_media_type(type, kJsonType)) return true;
  reply_problem(Problem::kUnsupportedMediaType,
                std::string("found \"").append(type).append("\", expected application/json"),
                reply);
  return false;
}

std::optional<Problem> problem_of(OrderOutcome outcome) {
  switch (outcome) {
    case OrderOutcome::kCreated:
    case OrderOutcome::kUpdated:
    case OrderOutcome::kDeleted:
      return std::nullopt;
    case OrderOutcome::kNotFound:
      return Problem::kUnknownOrder;
    case OrderOutcome::kVersionMismatch:
      return Problem::kVersionMismatch;
    case OrderOutcome::kStale:
      return Problem::kStaleVersion;
    case OrderOutcome::kTerminal:
      return Problem::kTerminalStatus;
    case OrderOutcome::kIllegalTransition:
      return Problem::kIllegalTransition;
    case OrderOutcome::kUnknownStatus:
      return Problem::kUnknownStatus;
    case OrderOutcome::kIdempotencyConflict:
      return Problem::kIdempotencyKeyReused;
    case OrderOutcome::kWrongKind:
      return Problem::kWrongKind;
    case OrderOutcome::kTooLarge:
      return Problem::kTooLarge;
    case OrderOutcome::kOutOfMemory:
      return Problem::kOutOfMemory;
    case OrderOutcome::kBusy:
      return Problem::kBusy;
  }
  return Problem::kBusy;
}

int success_status(OrderOutcome outcome) {
  if (outcome == OrderOutcome::kCreated) return 201;
  return outcome == OrderOutcome::kUpdated ? 200 : 204;
}

std::int64_t deadline_after(std::int64_t now_ms, std::int64_t ttl_ms) {
  return std::min(now_ms + ttl_ms, cache::kDeadlineMax_ms);
}

// A PUT replaces the order, so what it leaves out is empty; a PATCH keeps it.
void fill_from_body(const OrderBody& body, std::int64_t now_ms, OrderEvent* event) {
  static constexpr std::string_view kNull = "null";
  const bool put = event->type == OrderEvent::Type::kPut;
  if (body.status) event->status = *body.status;
  event->has_payload = put || body.payload.has_value();
  event->payload = body.payload ? std::string_view(*body.payload) : kNull;
  event->version = body.version;
  if (body.ttl_ms) {
    event->deadline_ms = deadline_after(now_ms, *body.ttl_ms);
  } else if (put || body.ttl_is_null) {
    event->deadline_ms = cache::kNoDeadline;
  }
}

std::string quoted(std::string_view text) { return std::string("\"").append(text).append("\""); }

// Translates If-Match and If-None-Match into the event's preconditions; `versions` keeps what the
// event refers to. False after replying with a problem.
bool read_preconditions(const HttpRequest& request, OrderEvent* event,
                        std::vector<std::uint64_t>* versions, HttpReply* reply) {
  if (request.has(HttpField::kIfNoneMatch)) {
    if (request.field(HttpField::kIfNoneMatch) != "*" || request.has(HttpField::kIfMatch)) {
      reply_problem(Problem::kMalformedRequest,
                    "a write may carry If-None-Match: * or If-Match, nothing else", reply);
      return false;
    }
    event->if_version = 0;
  }
  if (!request.has(HttpField::kIfMatch)) return true;
  const auto tags = EntityTags::parse(request.field(HttpField::kIfMatch));
  if (!tags) {
    reply_problem(Problem::kMalformedRequest,
                  "If-Match is malformed; expected \"VERSION\" in quotes, or *", reply);
    return false;
  }
  event->if_exists = tags->any();
  if (tags->any()) return true;
  *versions = tags->strong_versions();
  event->if_one_of = *versions;
  return true;
}

// Why an id cannot be served, or nothing.
std::string_view id_problem(std::string_view id) {
  if (id.empty()) return "the order id is empty";
  if (id.size() > OrderHttp::kIdBytesMax) return "the order id is longer than 512 bytes";
  if (!text::is_utf8(id)) return "the order id is not UTF-8";
  return {};
}

}  // namespace

bool OrderHttp::handle(const HttpRequest& request, HttpReply* reply) {
  const std::string_view path = request.path();
  if (path == kBulkPath) {
    handle_bulk(request, reply);
    return true;
  }
  if (!path.starts_with(kOrdersPath)) return false;
  std::string_view segment = path.substr(kOrdersPath.size());
  const bool history = segment.ends_with(kHistorySuffix);
  if (history) segment.remove_suffix(kHistorySuffix.size());
  if (segment.empty() || segment.find('/') != std::string_view::npos) return false;

  std::optional<std::string> decoded;
  std::string_view id = segment;
  if (segment.find('%') != std::string_view::npos) {
    decoded = percent_decode(segment);
    if (!decoded) {
      reply_problem(Problem::kMalformedRequest, "the order id has a broken %-escape", reply);
      return true;
    }
    id = *decoded;
  }
  if (const std::string_view problem = id_problem(id); !problem.empty()) {
    reply_problem(Problem::kMalformedRequest, problem, reply);
  } else if (history) {
    handle_history(id, request, reply);
  } else {
    handle_order(id, request, reply);
  }
  return true;
}

void OrderHttp::handle_order(std::string_view id, const HttpRequest& request, HttpReply* reply) {
  switch (request.method) {
    case HttpMethod::kGet:
    case HttpMethod::kHead:
      get(id, request, reply);
      break;
    case HttpMethod::kPut:
    case HttpMethod::kPatch:
    case HttpMethod::kDelete:
      write(id, request, reply);
      break;
    default:
      reply_method_not_allowed("GET, HEAD, PUT, PATCH, DELETE, OPTIONS", request, reply);
      return;
  }
  if (order_.payload.capacity() > kKeptPayloadBytes) order_ = orders::Order();
}

void OrderHttp::handle_history(std::string_view id, const HttpRequest& request, HttpReply* reply) {
  if (request.method != HttpMethod::kGet && request.method != HttpMethod::kHead) {
    reply_method_not_allowed("GET, HEAD, OPTIONS", request, reply);
    return;
  }
  if (!find(id, reply)) return;
  reply->add_etag(order_.version);
  append_history(id, order_, context_.server.orders.table(), &reply->body);
}

bool OrderHttp::find(std::string_view id, HttpReply* reply) {
  if (context_.server.orders.get(id, context_.clock.unix_ms(), &order_)) {
    context_.counters.hits.add(1);
    return true;
  }
  context_.counters.misses.add(1);
  reply_problem(Problem::kUnknownOrder, "no order has the id " + quoted(id), reply);
  return false;
}

void OrderHttp::get(std::string_view id, const HttpRequest& request, HttpReply* reply) {
  if (!find(id, reply)) return;
  if (request.has(HttpField::kIfNoneMatch)) {
    const auto tags = EntityTags::parse(request.field(HttpField::kIfNoneMatch));
    if (!tags) {
      reply_problem(Problem::kMalformedRequest, "If-None-Match is malformed", reply);
      return;
    }
    if (tags->any() || tags->matches_weakly(order_.version)) reply->status = 304;
  }
  reply->add_etag(order_.version);
  if (reply->status == 304) return;
  const std::string_view status = context_.server.orders.table().name(order_.status);
  append_order({id, status, order_.version, order_.payload, order_.updated_ms, order_.deadline_ms},
               &reply->body);
}

void OrderHttp::write(std::string_view id, const HttpRequest& request, HttpReply* reply) {
  OrderEvent event;
  event.order_id = id;
  OrderBody body;
  if (request.method == HttpMethod::kDelete) {
    event.type = OrderEvent::Type::kDelete;
  } else {
    if (!require_media_type(request, reply)) return;
    Result<OrderBody> parsed = parse_order(request.body);
    if (!parsed) {
      reply_problem(Problem::kInvalidDocument, parsed.error().message, reply);
      return;
    }
    body = *std::move(parsed);
    const bool put = request.method == HttpMethod::kPut;
    if (put && !body.status) {
      reply_problem(Problem::kInvalidDocument, "member \"status\" is missing", reply);
      return;
    }
    event.type = put ? OrderEvent::Type::kPut : OrderEvent::Type::kTransition;
    fill_from_body(body, context_.clock.unix_ms(), &event);
  }
  event.idempotency_key = request.field(HttpField::kIdempotencyKey);
  if (event.idempotency_key.size() > kIdempotencyKeyBytesMax) {
    reply_problem(Problem::kMalformedRequest, "Idempotency-Key is longer than 255 bytes", reply);
    return;
  }
  std::vector<std::uint64_t> versions;
  if (!read_preconditions(request, &event, &versions, reply)) return;
  answer(event, apply(event), reply);
}

// Why the log cannot take the event now. What gives room back is taken longest.
std::optional<Problem> OrderHttp::unserved_now(const OrderEvent& event) const {
  const Durability::Service service = context_.server.durability.service();
  const bool removes = event.type == OrderEvent::Type::kDelete;
  if (service == Durability::Service::kNoRoom && removes) return std::nullopt;
  return problem_of(service);
}

OrderHttp::Verdict OrderHttp::apply(const OrderEvent& event) {
  Verdict verdict;
  if (const std::optional<Problem> unserved = unserved_now(event)) {
    verdict.problem = unserved;
    verdict.status = problem_spec(*unserved).status;
    verdict.detail = context_.server.durability.sentence();
    return verdict;
  }
  verdict.result = context_.server.orders.apply(event, context_.clock.unix_ms());
  const OrderOutcome outcome = verdict.result.outcome;
  context_.counters.order_outcomes[static_cast<std::size_t>(outcome)].add(1);
  if (outcome == OrderOutcome::kBusy) context_.counters.busy_rejections.add(1);
  verdict.problem = problem_of(outcome);
  if (!verdict.problem) {
    verdict.status = success_status(outcome);
    return verdict;
  }
  verdict.status = problem_spec(*verdict.problem).status;
  verdict.detail = explain(event, verdict.result);
  return verdict;
}

std::string OrderHttp::explain(const OrderEvent& event, const OrderResult& result) const {
  const orders::TransitionTable& table = context_.server.orders.table();
  const std::string id = quoted(event.order_id);
  const std::string version = std::to_string(result.version);
  switch (result.outcome) {
    case OrderOutcome::kNotFound:
      return "no order has the id " + id;
    case OrderOutcome::kVersionMismatch:
      return result.version == 0 ? "no order has the id " + id
                                 : "the stored version of " + id + " is " + version;
    case OrderOutcome::kStale:
      return result.version == 0 ? "a version of " + id + " at least as new was deleted or expired"
                                 : "version " + version + " of " + id + " is stored";
    case OrderOutcome::kTerminal:
      return id + " is " + quoted(table.name(result.status)) + ", which is final";
    case OrderOutcome::kIllegalTransition:
      if (result.version == 0) return "an order cannot start as " + quoted(event.status);
      return id + " is " + quoted(table.name(result.status)) + " and cannot become " +
             quoted(event.status);
    case OrderOutcome::kUnknownStatus: {
      std::string known;
      for (const std::string& name : table.names()) known += (known.empty() ? "" : ", ") + name;
      return "found " + quoted(event.status) + ", expected one of: " + known;
    }
    case OrderOutcome::kIdempotencyConflict:
      return "use a new key for a new request";
    case OrderOutcome::kWrongKind:
      return quoted(event.order_id) + " was set by a string command";
    case OrderOutcome::kTooLarge:
      return "the order does not fit into " + std::to_string(cache::kValueBytesMax) + " bytes";
    case OrderOutcome::kOutOfMemory:
      return "the cache holds as much as its memory limit allows";
    default:
      return "the write queue of the order's shard is full";
  }
}

void OrderHttp::answer(const OrderEvent& event, const Verdict& verdict, HttpReply* reply) const {
  const OrderResult& result = verdict.result;
  if (result.replayed) reply->add_field("Idempotency-Replayed", "true");
  if (verdict.problem) {
    const auto stored = result.version == 0 ? std::nullopt : std::optional(result.version);
    reply_problem(*verdict.problem, verdict.detail, reply, stored);
    return;
  }
  reply->status = verdict.status;
  if (verdict.status == 204) return;
  if (verdict.status == 201) {
    reply->add_field("Location", std::string(kOrdersPath) + percent_encode(event.order_id));
  }
  reply->add_etag(result.version);
  const std::string_view status = context_.server.orders.table().name(result.status);
  append_order({event.order_id, status, result.version, result.payload_after(event),
                result.updated_ms, result.deadline_ms},
               &reply->body);
}

void OrderHttp::handle_bulk(const HttpRequest& request, HttpReply* reply) {
  if (request.method != HttpMethod::kPost) {
    reply_method_not_allowed("POST, OPTIONS", request, reply);
    return;
  }
  if (is_media_type(request.field(HttpField::kContentType), "application/x-ndjson")) {
    bulk_lines(request.body, reply);
  } else if (require_media_type(request, reply)) {
    bulk_array(request.body, reply);
  }
}

void OrderHttp::bulk_array(std::string_view body, HttpReply* reply) {
  const Result<std::vector<OrderBody>> items = parse_bulk_array(body, kBulkItemsMax);
  if (!items) {
    reply_problem(Problem::kInvalidDocument, items.error().message, reply);
    return;
  }
  reply->body.push_back('[');
  for (const OrderBody& item : *items) {
    if (&item != &items->front()) reply->body.push_back(',');
    bulk_item(item, &reply->body);
  }
  reply->body.push_back(']');
}

void OrderHttp::bulk_lines(std::string_view body, HttpReply* reply) {
  if (std::count(body.begin(), body.end(), '\n') > static_cast<std::ptrdiff_t>(kBulkItemsMax)) {
    reply_problem(Problem::kTooLarge,
                  "more than " + std::to_string(kBulkItemsMax) + " lines in one request", reply);
    return;
  }
  reply->content_type = "application/x-ndjson";
  while (!body.empty()) {
    const std::size_t end = std::min(body.find('\n'), body.size());
    const std::string_view line = trim_http_space(body.substr(0, end));
    body.remove_prefix(std::min(end + 1, body.size()));
    if (line.empty() || line == "\r") continue;
    if (const Result<OrderBody> item = parse_bulk_item(line); item) {
      bulk_item(*item, &reply->body);
    } else {
      reply->body.append("{\"status\":400,\"problem\":");
      text::JsonWriter json(&reply->body);
      write_problem(Problem::kInvalidDocument, item.error().message, std::nullopt, &json);
      reply->body.push_back('}');
    }
    reply->body.push_back('\n');
  }
}

// Applies one item and appends {"id":...,"status":201,"version":1} or the problem.
void OrderHttp::bulk_item(const OrderBody& item, std::string* out) {
  OrderEvent event;
  event.order_id = item.id;
  event.if_version = item.if_version;
  std::string_view problem = id_problem(item.id);
  switch (item.operation) {
    case OrderBody::Operation::kPut:
      event.type = OrderEvent::Type::kPut;
      if (problem.empty() && !item.status) problem = "member \"status\" is missing";
      break;
    case OrderBody::Operation::kPatch:
      event.type = OrderEvent::Type::kTransition;
      break;
    case OrderBody::Operation::kDelete:
      event.type = OrderEvent::Type::kDelete;
      break;
  }
  fill_from_body(item, context_.clock.unix_ms(), &event);
  Verdict verdict;
  if (problem.empty()) {
    verdict = apply(event);
  } else {
    verdict.problem = Problem::kInvalidDocument;
    verdict.status = 400;
    verdict.detail = problem;
  }
  text::JsonWriter json(out);
  json.begin_object();
  json.member("id", item.id);
  json.member("status", verdict.status);
  if (verdict.result.version != 0) json.member("version", verdict.result.version);
  if (verdict.problem) {
    json.key("problem");
    write_problem(*verdict.problem, verdict.detail, std::nullopt, &json);
  }
  json.end_object();
}

}  // namespace vigil::server
