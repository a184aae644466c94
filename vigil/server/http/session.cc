// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/http/session.h"

#include <memory>
#include <string>
#include <utility>

#include "vigil/base/clock.h"

namespace vigil::server {

namespace {

HttpLimits limits_of(const ServerOptions& options) {
  HttpLimits limits;
  limits.body_bytes_max = options.http_body_bytes_max;
  return limits;
}

bool is_write(HttpMethod method) {
  return method != HttpMethod::kGet && method != HttpMethod::kHead;
}

}  // namespace

HttpSession::HttpSession(ReactorContext& context, std::string_view effective_config)
    : context_(context),
      parser_(limits_of(context.server.options)),
      routes_(context, effective_config) {}

Consumed HttpSession::consume(std::string_view input, Output& output) {
  const std::int64_t started_ns = monotonic_ns();
  const std::size_t high_water = context_.server.options.output_high_water_bytes;
  Consumed consumed;
  Batch batch;
  bool more = true;
  mid_request_ = false;
  while (more && !consumed.close && output.size() <= high_water) {
    replied_bytes_ = output.size();
    HttpRequest request;
    const HttpParser::Step step = parser_.parse(input.substr(consumed.bytes), &request);
    consumed.bytes += step.bytes;
    switch (step.outcome) {
      case HttpParser::Outcome::kRequest:
        consumed.close = !answer(request, output, &batch);
        break;
      case HttpParser::Outcome::kContinueWanted:
        output.append("HTTP/1.1 100 Continue\r\n\r\n");
        [[fallthrough]];
      case HttpParser::Outcome::kNeedMore:
        more = false;
        mid_request_ = parser_.mid_request() || consumed.bytes < input.size();
        break;
      case HttpParser::Outcome::kError:
        refuse(problem_of_parser_status(step.status), step.detail, output, &batch);
        consumed.close = true;
        break;
    }
  }
  if (batch.requests != 0) count(batch, started_ns);
  consumed.wrote = batch.writes != 0;
  return consumed;
}

// Returns whether the connection stays open.
bool HttpSession::answer(const HttpRequest& request, Output& output, Batch* batch) {
  reply_.reset();
  routes_.handle(request, &reply_);
  const bool draining = context_.server.draining.load(std::memory_order_relaxed);
  const bool keep_alive = request.keep_alive && !draining;
  reply_.write(request.method, request.http_1_0, !keep_alive, context_.clock.unix_ms(), &output);
  ++batch->requests;
  if (is_write(request.method)) ++batch->writes;
  if (reply_.status >= 400) ++batch->errors;
  return keep_alive;
}

void HttpSession::answer_fault(Output& output) {
  output.truncate(replied_bytes_);
  Batch batch;
  refuse(Problem::kInternalError, "the connection ends; the log of the server says why", output,
         &batch);
  count(batch, monotonic_ns());
}

void HttpSession::replies_lost(Output& output) {
  const std::string reason = context_.server.durability.failure();
  Batch batch;
  if (reason.empty()) {
    refuse(Problem::kInternalError, "the reply was lost", output, &batch);
  } else {
    refuse(Problem::kReadOnly, "the write may be lost: " + reason, output, &batch);
  }
  count(batch, monotonic_ns());
}

void HttpSession::refuse(Problem problem, std::string_view detail, Output& output, Batch* batch) {
  reply_.reset();
  reply_problem(problem, detail, &reply_);
  reply_.write(HttpMethod::kOther, false, true, context_.clock.unix_ms(), &output);
  ++batch->requests;
  ++batch->errors;
}

void HttpSession::count(const Batch& batch, std::int64_t started_ns) {
  ReactorCounters& counters = context_.counters;
  const auto took_ns = static_cast<std::uint64_t>(monotonic_ns() - started_ns);
  counters.commands[static_cast<std::size_t>(CommandFamily::kHttp)].add(batch.requests);
  counters.batch_latency.record(took_ns);
  counters.batch_requests.add(batch.requests);
  if (batch.errors != 0) counters.errors.add(batch.errors);
  if (batch.writes != 0) counters.write_latency.record(took_ns / batch.requests, batch.writes);
}

SessionFactory http_sessions(std::string effective_config) {
  return [config = std::move(effective_config)](ReactorContext& context, Connection&) {
    return std::make_unique<HttpSession>(context, config);
  };
}

}  // namespace vigil::server
