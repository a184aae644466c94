// SPDX-License-Identifier: Apache-2.0
//
// HttpRoutes: which handler answers a path, and which token the request must carry.
//
//   /orders...                               OrderHttp   the password, if one is set
//   /admin/... /debug/...                    HttpAdmin   the admin token, if set; else as above
//   /healthz /readyz /metrics /openapi.json  HttpAdmin   none
//
// Thread safety: belongs to one connection.
#pragma once

#include <string_view>

#include "vigil/server/http/admin.h"
#include "vigil/server/http/order_http.h"
#include "vigil/server/http/reply.h"
#include "vigil/server/http/request.h"
#include "vigil/server/reactor/server_state.h"

namespace vigil::server {

class HttpRoutes {
 public:
  HttpRoutes(ReactorContext& context, std::string_view effective_config)
      : context_(context), orders_(context), admin_(context.server, effective_config) {}

  void handle(const HttpRequest& request, HttpReply* reply);
  // Answers what needs no body to be refused; false if the request may be carried out.
  bool refuse(const HttpRequest& request, HttpReply* reply);

 private:
  [[nodiscard]] bool may_use_orders(const HttpRequest& request) const;
  [[nodiscard]] bool may_administer(const HttpRequest& request) const;

  ReactorContext& context_;
  OrderHttp orders_;
  HttpAdmin admin_;
};

}  // namespace vigil::server
