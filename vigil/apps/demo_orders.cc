// SPDX-License-Identifier: Apache-2.0
#include "vigil/apps/demo_orders.h"

#include <utility>

#include "vigil/server/http/text.h"

namespace vigil::apps {

namespace {

using orders::TransitionTable;
using StatusId = TransitionTable::StatusId;

constexpr std::int64_t kShortestTtl_ms = 2'000;
constexpr std::uint64_t kTtlSpread_ms = 28'000;
constexpr std::int64_t kSampleTtl_ms = 3'600'000;

// Shares of the events, in percent.
constexpr std::uint64_t kCreates = 40;
constexpr std::uint64_t kReads = 10;
constexpr std::uint64_t kRepeats = 6;
constexpr std::uint64_t kIllegal = 4;

}  // namespace

DemoOrders::DemoOrders(const TransitionTable& table, std::uint64_t seed)
    : table_(table), random_(seed) {
  for (std::size_t i = 0; i < table_.names().size(); ++i) {
    const auto status = static_cast<StatusId>(i);
    if (table_.initial(status)) initial_.push_back(status);
  }
}

DemoEvent DemoOrders::next() {
  std::uint64_t dice = random_.below(100);
  if (tracked_.empty() || dice < kCreates) return create();
  const std::size_t index = random_.below(tracked_.size());
  const Tracked& order = tracked_[index];
  dice -= kCreates;
  if (dice < kReads) return {DemoEvent::Type::kGet, order.id, {}, {}, 0, 0};
  dice -= kReads;
  if (dice < kRepeats) return transition(order, order.status, order.version);
  dice -= kRepeats;
  if (dice < kIllegal) {
    const auto any = static_cast<StatusId>(random_.below(table_.names().size()));
    if (!table_.allowed(order.status, any)) return transition(order, any, order.version + 1);
  }
  return advance(index);
}

DemoEvent DemoOrders::create() {
  ++created_;
  Tracked order;
  order.id = (created_ % 5 == 0 ? "订单-" : "DEMO-") + std::to_string(created_);
  order.status = initial_[random_.below(initial_.size())];
  order.version = 1;
  DemoEvent event;
  event.id = order.id;
  event.status = table_.name(order.status);
  event.version = order.version;
  const std::string cents = std::to_string(100 + random_.below(900'000));
  event.payload = R"({"amount_cents":)" + cents + R"(,"currency":"CNY","channel":"demo"})";
  event.ttl_ms = created_ == 1
                     ? kSampleTtl_ms
                     : kShortestTtl_ms + static_cast<std::int64_t>(random_.below(kTtlSpread_ms));
  // The sample is created and then left alone, so that it is there when somebody asks for it.
  if (created_ != 1) tracked_.push_back(std::move(order));
  if (tracked_.size() > kTracked) tracked_.pop_front();
  return event;
}

DemoEvent DemoOrders::advance(std::size_t index) {
  Tracked& order = tracked_[index];
  std::vector<StatusId> next;
  for (std::size_t i = 0; i < table_.names().size(); ++i) {
    const auto status = static_cast<StatusId>(i);
    if (status != order.status && table_.allowed(order.status, status)) next.push_back(status);
  }
  if (next.empty()) {
    tracked_.erase(tracked_.begin() + static_cast<std::ptrdiff_t>(index));
    return create();
  }
  order.status = next[random_.below(next.size())];
  ++order.version;
  return transition(order, order.status, order.version);
}

DemoEvent DemoOrders::transition(const Tracked& order, StatusId status,
                                 std::uint64_t version) const {
  return {DemoEvent::Type::kTransition, order.id, table_.name(status), {}, version, 0};
}

std::string resp_request(const std::vector<std::string>& arguments) {
  std::string request = "*" + std::to_string(arguments.size()) + "\r\n";
  for (const std::string& argument : arguments) {
    request += "$" + std::to_string(argument.size()) + "\r\n" + argument + "\r\n";
  }
  return request;
}

std::string to_resp(const DemoEvent& event) {
  const std::string version = std::to_string(event.version);
  switch (event.type) {
    case DemoEvent::Type::kPut:
      return resp_request({"ORDER.PUT", event.id, event.status, event.payload, "VERSION", version,
                           "PX", std::to_string(event.ttl_ms)});
    case DemoEvent::Type::kTransition:
      return resp_request({"ORDER.TRANSITION", event.id, event.status, "VERSION", version});
    case DemoEvent::Type::kGet:
      break;
  }
  return resp_request({"ORDER.GET", event.id});
}

std::string to_http(const DemoEvent& event, const std::string& password) {
  std::string method = "GET";
  std::string body;
  if (event.type == DemoEvent::Type::kPut) {
    method = "PUT";
    body = R"({"status":")" + event.status + R"(","payload":)" + event.payload + R"(,"version":)" +
           std::to_string(event.version) + R"(,"ttl_ms":)" + std::to_string(event.ttl_ms) + "}";
  } else if (event.type == DemoEvent::Type::kTransition) {
    method = "PATCH";
    body =
        R"({"status":")" + event.status + R"(","version":)" + std::to_string(event.version) + "}";
  }
  std::string request =
      method + " /orders/" + server::percent_encode(event.id) + " HTTP/1.1\r\nHost: demo\r\n";
  if (!password.empty()) request += "Authorization: Bearer " + password + "\r\n";
  if (!body.empty()) {
    request +=
        "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  }
  return request + "\r\n" + body;
}

}  // namespace vigil::apps
