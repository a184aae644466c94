// SPDX-License-Identifier: Apache-2.0
//
// The OpenAPI 3.1 description of the HTTP interface, compiled in from openapi.json.
//
// Thread safety: a pure function.
#pragma once

#include <string_view>

namespace vigil::server {

[[nodiscard]] std::string_view openapi_document();

}  // namespace vigil::server
