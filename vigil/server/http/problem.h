// SPDX-License-Identifier: Apache-2.0
//
// Problems: why a request was refused, as application/problem+json (RFC 9457).
//
//   {"type":"urn:vigil:problem:version-mismatch","title":"The order has another version",
//    "status":412,"detail":"...","version":4}
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vigil/server/durability/durability.h"
#include "vigil/server/http/reply.h"
#include "vigil/text/json_writer.h"

namespace vigil::server {

enum class Problem : std::uint8_t {
  kMalformedRequest,
  kInvalidDocument,
  kUnauthorized,
  kNoSuchPath,
  kUnknownOrder,
  kMethodNotAllowed,
  kStaleVersion,
  kTerminalStatus,
  kIllegalTransition,
  kWrongKind,
  kVersionMismatch,
  kTooLarge,
  kUnsupportedMediaType,
  kExpectationFailed,
  kUnknownStatus,
  kIdempotencyKeyReused,
  kHeaderTooLarge,
  kInternalError,
  kNotImplemented,
  kBusy,
  kDraining,
  kLoading,
  kLogBehind,
  kReadOnly,
  kOutOfMemory,
  kNoRoom,
};

struct ProblemSpec {
  Problem problem;
  int status;
  std::string_view name;  // the last part of the type
  std::string_view title;
};

[[nodiscard]] const ProblemSpec& problem_spec(Problem problem);
// For errors of the HTTP parser: the problem that has this status.
[[nodiscard]] Problem problem_of_parser_status(int status);

// Why requests that write are refused in this state; nothing if they are not.
[[nodiscard]] std::optional<Problem> problem_of(Durability::Service service);

// Writes the document; `version` is the stored version, where the client needs it to go on.
void write_problem(Problem problem, std::string_view detail, std::optional<std::uint64_t> version,
                   text::JsonWriter* json);

// Makes *reply this problem, with the header fields it calls for.
void reply_problem(Problem problem, std::string_view detail, HttpReply* reply,
                   std::optional<std::uint64_t> version = std::nullopt);

// For a method that the path does not serve: 405, or the answer to OPTIONS.
void reply_method_not_allowed(std::string_view allowed, const HttpRequest& request,
                              HttpReply* reply);

}  // namespace vigil::server
