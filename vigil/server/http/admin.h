// SPDX-License-Identifier: Apache-2.0
//
// HttpAdmin: the routes about the server itself: /healthz, /readyz, /metrics, /openapi.json,
// /admin/stats, /admin/config, /debug/threads. All are GET (and HEAD).
//
// Thread safety: belongs to one connection; reads what other threads count.
#pragma once

#include <string_view>

#include "vigil/server/http/reply.h"
#include "vigil/server/http/request.h"
#include "vigil/server/reactor/server_state.h"

namespace vigil::server {

class HttpAdmin {
 public:
  HttpAdmin(const ServerState& server, std::string_view effective_config)
      : server_(server), effective_config_(effective_config) {}

  // Answers a request that no route serves; false if one does.
  bool refuse(const HttpRequest& request, HttpReply* reply) const;
  // REQUIRES: it was not refused.
  void handle(const HttpRequest& request, HttpReply* reply) const;

 private:
  struct Route {
    std::string_view path;
    void (HttpAdmin::*answer)(HttpReply*) const;
  };
  // nullptr if there is none.
  [[nodiscard]] static const Route* find_route(std::string_view path);

  void health(HttpReply* reply) const;
  void readiness(HttpReply* reply) const;
  void metrics(HttpReply* reply) const;
  void openapi(HttpReply* reply) const;
  void stats(HttpReply* reply) const;
  void config(HttpReply* reply) const;
  void threads(HttpReply* reply) const;

  const ServerState& server_;
  const std::string_view effective_config_;
};

}  // namespace vigil::server
