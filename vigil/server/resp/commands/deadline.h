// SPDX-License-Identifier: Apache-2.0
//
// Deadlines as requests write them: EX 10, PXAT 1795410402288.
//
// Thread safety: as the Call.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vigil/server/resp/call.h"

namespace vigil::server {

// How a time is counted.
struct TimeUnit {
  std::int64_t unit_ms;
  bool absolute;  // since 1970, else from now on

  bool operator==(const TimeUnit&) const = default;
};
inline constexpr TimeUnit kSecondsFromNow{1000, false};
inline constexpr TimeUnit kMillisecondsFromNow{1, false};
inline constexpr TimeUnit kSecondsSinceEpoch{1000, true};
inline constexpr TimeUnit kMillisecondsSinceEpoch{1, true};

inline constexpr std::array kTimeUnits = {Choice<TimeUnit>{"ex", kSecondsFromNow},
                                          Choice<TimeUnit>{"px", kMillisecondsFromNow},
                                          Choice<TimeUnit>{"exat", kSecondsSinceEpoch},
                                          Choice<TimeUnit>{"pxat", kMillisecondsSinceEpoch}};

// The cache's time of it, in milliseconds, at least 1; nothing if it is beyond 64 bits. A date is
// one of the wall clock; what is left until then does not change any more.
[[nodiscard]] std::optional<std::int64_t> absolute_ms(std::int64_t number, TimeUnit unit,
                                                      const Call& call);

// What an argument that was read before says, which must be positive; an error in `args` if it
// is not a deadline.
[[nodiscard]] std::int64_t deadline_ms(Arguments& args, const Call& call, TimeUnit unit,
                                       std::string_view text);

// "ERR invalid expire time in 'set' command"
[[nodiscard]] std::string invalid_expire_time(const Call& call);

}  // namespace vigil::server
