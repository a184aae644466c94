// SPDX-License-Identifier: Apache-2.0
//
// The error replies that more than one command gives, as Redis 7.0 words them.
//
// Thread safety: constants.
#pragma once

#include <string_view>

namespace vigil::server {

inline constexpr std::string_view kSyntaxError = "ERR syntax error";
inline constexpr std::string_view kNotAnInteger = "ERR value is not an integer or out of range";
inline constexpr std::string_view kNotAFloat = "ERR value is not a valid float";
inline constexpr std::string_view kWrongType =
    "WRONGTYPE Operation against a key holding the wrong kind of value";
inline constexpr std::string_view kOutOfMemory =
    "OOM command not allowed when used memory > 'maxmemory'.";
inline constexpr std::string_view kKeyTooLarge = "ERR key exceeds maximum allowed size";
inline constexpr std::string_view kValueTooLarge =
    "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
inline constexpr std::string_view kBusy = "BUSY shard queue is full, retry";

inline constexpr std::string_view kBadClientName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

}  // namespace vigil::server
