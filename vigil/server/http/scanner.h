// SPDX-License-Identifier: Apache-2.0
//
// scan_http_request: the fast path of HTTP parsing, for the requests that nearly all clients send:
// complete in the input, HTTP/1.1, plain header lines, at most a Content-Length body.
//
// It only ever says "this is such a request" or "not for me": incomplete, unusual and malformed
// input alike go to HttpParser (parser.h), which decides. So it must be stricter than the
// parser, never more lenient; parser_test.cc compares the two.
//
// Thread safety: a pure function. Complexity: one pass over the header. Allocates nothing.
#pragma once

#include <cstddef>
#include <string_view>

#include "vigil/server/http/request.h"

namespace vigil::server {

// Returns the size of the request at the front of `input`, or 0 if it is not for this scanner;
// then *request is unspecified.
[[nodiscard]] std::size_t scan_http_request(std::string_view input, const HttpLimits& limits,
                                            HttpRequest* request);

}  // namespace vigil::server
