// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/arguments.h"

#include "vigil/server/resp/reply_errors.h"

namespace vigil::server {

std::int64_t Arguments::integer(std::string_view text) {
  const auto value = parse_integer(text);
  if (!value) fail(kNotAnInteger);
  return value.value_or(0);
}

long double Arguments::number() {
  const auto value = parse_long_double(next());
  if (!value) fail(kNotAFloat);
  return value.value_or(0);
}

void Arguments::syntax_error() { fail(kSyntaxError); }

void Arguments::fail(std::string error) {
  if (!ok()) return;
  error_ = std::move(error);
  left_ = {};
}

}  // namespace vigil::server
