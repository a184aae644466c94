// SPDX-License-Identifier: Apache-2.0
//
// OrderHttp: the order routes of the HTTP interface (docs/http.md has them with examples).
//
//   PUT, GET, HEAD, PATCH, DELETE  /orders/{id}
//   GET, HEAD                      /orders/{id}/history
//   POST                           /orders:bulk
//
// A write becomes one OrderEvent (vigil/orders/orders.h), whose outcome decides the status. The
// order is looked up once, by its writer: the answer shows it as the event left it, whatever others
// do meanwhile, and a retry with the same Idempotency-Key is answered byte for byte alike.
//
// Thread safety: belongs to one connection.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "vigil/orders/orders.h"
#include "vigil/server/http/json_order.h"
#include "vigil/server/http/problem.h"
#include "vigil/server/http/reply.h"
#include "vigil/server/http/request.h"
#include "vigil/server/reactor/server_state.h"

namespace vigil::server {

class OrderHttp {
 public:
  static constexpr std::size_t kIdBytesMax = 512;
  static constexpr std::size_t kIdempotencyKeyBytesMax = 255;
  static constexpr std::size_t kBulkItemsMax = 1000;

  explicit OrderHttp(ReactorContext& context) : context_(context) {}

  // Answers a request whose path starts with "/orders"; false if no route has the path.
  bool handle(const HttpRequest& request, HttpReply* reply);

 private:
  // What became of an event, in HTTP's terms.
  struct Verdict {
    int status = 0;
    std::optional<Problem> problem;
    std::string detail;
    orders::OrderResult result;
  };

  void handle_order(std::string_view id, const HttpRequest& request, HttpReply* reply);
  void handle_history(std::string_view id, const HttpRequest& request, HttpReply* reply);
  void handle_bulk(const HttpRequest& request, HttpReply* reply);

  void get(std::string_view id, const HttpRequest& request, HttpReply* reply);
  void write(std::string_view id, const HttpRequest& request, HttpReply* reply);
  void bulk_array(std::string_view body, HttpReply* reply);
  void bulk_lines(std::string_view body, HttpReply* reply);
  void bulk_item(const OrderBody& item, std::string* out);

  bool find(std::string_view id, HttpReply* reply);
  [[nodiscard]] std::optional<Problem> unserved_now(const orders::OrderEvent& event) const;
  Verdict apply(const orders::OrderEvent& event);
  void answer(const orders::OrderEvent& event, const Verdict& verdict, HttpReply* reply) const;
  [[nodiscard]] std::string explain(const orders::OrderEvent& event,
                                    const orders::OrderResult& result) const;

  ReactorContext& context_;
  orders::Order order_;  // scratch
};

}  // namespace vigil::server
