// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/commands/deadline.h"

#include <algorithm>

namespace vigil::server {

std::optional<std::int64_t> absolute_ms(std::int64_t number, TimeUnit unit, const Call& call) {
  std::int64_t time_ms = 0;
  if (__builtin_mul_overflow(number, unit.unit_ms, &time_ms)) return std::nullopt;
  if (unit.absolute) {
    time_ms = call.wall_clock().unix_of(time_ms);
  } else if (__builtin_add_overflow(time_ms, call.now_ms, &time_ms)) {
    return std::nullopt;
  }
  return std::max(time_ms, cache::kNoDeadline + 1);
}

std::int64_t deadline_ms(Arguments& args, const Call& call, TimeUnit unit, std::string_view text) {
  const std::int64_t number = args.integer(text);
  const auto deadline = absolute_ms(number, unit, call);
  if (number > 0 && deadline) return *deadline;
  args.fail(invalid_expire_time(call));
  return cache::kNoDeadline;
}

std::string invalid_expire_time(const Call& call) {
  return "ERR invalid expire time in '" + std::string(call.command.name) + "' command";
}

}  // namespace vigil::server
