// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/http/problem.h"

#include <algorithm>
#include <array>

#include "vigil/base/check.h"

namespace vigil::server {

namespace {

constexpr std::array<ProblemSpec, 26> kProblems = {{
    {Problem::kMalformedRequest, 400, "malformed-request", "The request is malformed"},
    {Problem::kInvalidDocument, 400, "invalid-document", "The body is not what is expected here"},
    {Problem::kUnauthorized, 401, "unauthorized", "A bearer token is required"},
    {Problem::kNoSuchPath, 404, "no-such-path", "Nothing is served at this path"},
    {Problem::kUnknownOrder, 404, "unknown-order", "There is no such order"},
    {Problem::kMethodNotAllowed, 405, "method-not-allowed", "The method is not served here"},
    {Problem::kStaleVersion, 409, "stale-version", "The version is not newer than the stored one"},
    {Problem::kTerminalStatus, 409, "terminal-status", "The order has reached a final status"},
    {Problem::kIllegalTransition, 409, "illegal-transition",
     "The order cannot take this step from its status"},
    {Problem::kWrongKind, 409, "wrong-kind", "The key holds a plain string, not an order"},
    {Problem::kVersionMismatch, 412, "version-mismatch", "The order has another version"},
    {Problem::kTooLarge, 413, "too-large", "The request is over a size limit"},
    {Problem::kUnsupportedMediaType, 415, "unsupported-media-type",
     "The body's media type is not served"},
    {Problem::kExpectationFailed, 417, "expectation-failed", "The expectation is not served"},
    {Problem::kUnknownStatus, 422, "unknown-status", "The status is not in the transition table"},
    {Problem::kIdempotencyKeyReused, 422, "idempotency-key-reused",
     "The idempotency key was used for another request"},
    {Problem::kHeaderTooLarge, 431, "header-too-large", "The header is too large"},
    {Problem::kInternalError, 500, "internal-error", "The server failed at this request"},
    {Problem::kNotImplemented, 501, "not-implemented", "The server does not implement this"},
    {Problem::kBusy, 503, "busy", "The order's shard is busy; try again"},
    {Problem::kDraining, 503, "draining", "The server is stopping"},
    {Problem::kLoading, 503, "loading", "The server reads its data from disk"},
    {Problem::kLogBehind, 503, "log-behind", "The log is behind; try again"},
    {Problem::kReadOnly, 503, "read-only", "The server takes no writes"},
    {Problem::kOutOfMemory, 507, "out-of-memory", "The memory limit is reached"},
    {Problem::kNoRoom, 507, "no-room", "There is no room for the log"},
}};

}  // namespace

const ProblemSpec& problem_spec(Problem problem) {
  const ProblemSpec& spec = kProblems[static_cast<std::size_t>(problem)];
  VIGIL_CHECK(spec.problem == problem, "the table of problems follows the order of the enum");
  return spec;
}

Problem problem_of_parser_status(int status) {
  if (status == 400) return Problem::kMalformedRequest;
  const auto* const found = std::find_if(kProblems.begin(), kProblems.end(),
                                         [&](const ProblemSpec& s) { return s.status == status; });
  return found == kProblems.end() ? Problem::kMalformedRequest : found->problem;
}

std::optional<Problem> problem_of(Durability::Service service) {
  using Service = Durability::Service;
  switch (service) {
    case Service::kFull:
      return std::nullopt;
    case Service::kLoading:
      return Problem::kLoading;
    case Service::kBehind:
      return Problem::kLogBehind;
    case Service::kNoRoom:
      return Problem::kNoRoom;
    case Service::kFailed:
      return Problem::kReadOnly;
  }
  return std::nullopt;
}

void write_problem(Problem problem, std::string_view detail, std::optional<std::uint64_t> version,
                   text::JsonWriter* json) {
  const ProblemSpec& spec = problem_spec(problem);
  json->begin_object();
  json->member("type", std::string("urn:vigil:problem:").append(spec.name));
  json->member("title", spec.title);
  json->member("status", spec.status);
  json->member("detail", detail);
  if (version) json->member("version", *version);
  json->end_object();
}

void reply_problem(Problem problem, std::string_view detail, HttpReply* reply,
                   std::optional<std::uint64_t> version) {
  reply->status = problem_spec(problem).status;
  reply->content_type = "application/problem+json";
  reply->body.clear();
  text::JsonWriter json(&reply->body);
  write_problem(problem, detail, version, &json);
  if (problem == Problem::kUnauthorized) reply->add_field("WWW-Authenticate", "Bearer");
  if (reply->status == 503) reply->add_field("Retry-After", "1");
}

void reply_method_not_allowed(std::string_view allowed, const HttpRequest& request,
                              HttpReply* reply) {
  if (request.method == HttpMethod::kOptions) {
    reply->status = 204;
  } else {
    reply_problem(Problem::kMethodNotAllowed, std::string("allowed: ").append(allowed), reply);
  }
  reply->add_field("Allow", allowed);
}

}  // namespace vigil::server
