// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/http/routes.h"

#include "vigil/server/http/problem.h"
#include "vigil/server/http/text.h"

namespace vigil::server {

namespace {

constexpr std::string_view kBearer = "Bearer ";

// Takes as long for a wrong token as for the right one of the same size.
bool equal_secrets(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<std::uint8_t>(a[i]) ^ static_cast<std::uint8_t>(b[i]);
  }
  return difference == 0;
}

bool presents(const HttpRequest& request, std::string_view secret) {
  const std::string_view field = request.field(HttpField::kAuthorization);
  return equals_ignoring_case(field.substr(0, kBearer.size()), kBearer) &&
         equal_secrets(trim_http_space(field.substr(kBearer.size())), secret);
}

}  // namespace

bool HttpRoutes::may_use_orders(const HttpRequest& request) const {
  const std::string& password = context_.server.options.password;
  return password.empty() || presents(request, password);
}

bool HttpRoutes::may_administer(const HttpRequest& request) const {
  const std::string& token = context_.server.options.admin_token;
  return token.empty() ? may_use_orders(request) : presents(request, token);
}

void HttpRoutes::handle(const HttpRequest& request, HttpReply* reply) {
  const bool orders = request.target.starts_with("/orders");
  const bool admin = request.target.starts_with("/admin") || request.target.starts_with("/debug");
  if ((orders && !may_use_orders(request)) || (admin && !may_administer(request))) {
    reply_problem(Problem::kUnauthorized, "send Authorization: Bearer TOKEN", reply);
    return;
  }
  if (orders && context_.server.durability.loading()) {
    reply_problem(Problem::kLoading, context_.server.durability.sentence(), reply);
    return;
  }
  if (orders ? orders_.handle(request, reply) : admin_.handle(request, reply)) return;
  reply_problem(Problem::kNoSuchPath, request.path(), reply);
}

}  // namespace vigil::server
