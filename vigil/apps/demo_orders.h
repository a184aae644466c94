// SPDX-License-Identifier: Apache-2.0
//
// DemoOrders: an endless, replayable stream of order events such as a payment gateway sees: most
// are legal steps of orders that live, some are late, repeated or illegal.
//
// Thread safety: belongs to one thread. Memory: the last kTracked orders.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/orders/orders.h"

namespace vigil::apps {

struct DemoEvent {
  enum class Type : std::uint8_t { kPut, kTransition, kGet };

  Type type = Type::kPut;
  std::string id;
  std::string status;
  std::string payload;  // JSON, kPut only
  std::uint64_t version = 0;
  std::int64_t ttl_ms = 0;  // kPut only
};

class DemoOrders {
 public:
  static constexpr std::size_t kTracked = 4096;

  DemoOrders(const orders::TransitionTable& table, std::uint64_t seed);

  [[nodiscard]] DemoEvent next();

  // The id of the first order that next() creates; it lives long.
  [[nodiscard]] static std::string sample_id() { return "DEMO-1"; }

 private:
  struct Tracked {
    std::string id;
    orders::TransitionTable::StatusId status = 0;
    std::uint64_t version = 0;
  };

  DemoEvent create();
  DemoEvent advance(std::size_t index);
  DemoEvent transition(const Tracked& order, orders::TransitionTable::StatusId status,
                       std::uint64_t version) const;

  orders::TransitionTable table_;
  std::vector<orders::TransitionTable::StatusId> initial_;
  Random random_;
  std::uint64_t created_ = 0;
  std::deque<Tracked> tracked_;
};

// The event as a RESP command, and as an HTTP request.
[[nodiscard]] std::string resp_request(const std::vector<std::string>& arguments);
[[nodiscard]] std::string to_resp(const DemoEvent& event);
[[nodiscard]] std::string to_http(const DemoEvent& event, const std::string& password);

}  // namespace vigil::apps
