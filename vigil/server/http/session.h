// SPDX-License-Identifier: Apache-2.0
//
// HttpSession: HTTP/1.1 (and 1.0) over one connection: pipelining, keep-alive, Expect, chunked
// bodies. Parses by HttpParser, answers by HttpRoutes.
//
// A malformed request is answered with a problem document and ends the connection.
//
// Thread safety: belongs to one reactor. Memory: the strings of one reply; while a body arrives in
// pieces also that body, within HttpLimits.
#pragma once

#include <string>
#include <string_view>

#include "vigil/server/http/parser.h"
#include "vigil/server/http/problem.h"
#include "vigil/server/http/reply.h"
#include "vigil/server/http/routes.h"
#include "vigil/server/reactor/server_state.h"
#include "vigil/server/reactor/session.h"

namespace vigil::server {

class HttpSession final : public Session {
 public:
  // `effective_config` is what /admin/config answers; it must outlive the session.
  HttpSession(ReactorContext& context, std::string_view effective_config);

  [[nodiscard]] Consumed consume(std::string_view input, Output& output) override;
  void answer_fault(Output& output) override;
  void replies_lost(Output& output) override;
  [[nodiscard]] bool mid_request() const override { return mid_request_; }
  [[nodiscard]] std::size_t buffer_bytes() const override { return parser_.buffer_bytes(); }

 private:
  // What the requests of one consume() add to the counters.
  struct Batch {
    std::uint64_t requests = 0;
    std::uint64_t writes = 0;
    std::uint64_t errors = 0;
  };

  bool answer(const HttpRequest& request, Output& output, Batch* batch);
  bool refuse_early(const HttpRequest& request, Output& output, Batch* batch);
  void refuse_resp(Output& output, Batch* batch);
  void refuse(Problem problem, std::string_view detail, Output& output, Batch* batch);
  [[nodiscard]] std::int64_t wall_ms() const;  // for the field Date
  void count(const Batch& batch, std::int64_t started_ns);

  ReactorContext& context_;
  HttpParser parser_;
  bool mid_request_ = false;
  std::size_t replied_bytes_ = 0;  // of the output: whole replies
  HttpRoutes routes_;
  HttpReply reply_;
};

// The factory to give to Server.
[[nodiscard]] SessionFactory http_sessions(std::string effective_config);

}  // namespace vigil::server
