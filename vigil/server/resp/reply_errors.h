// SPDX-License-Identifier: Apache-2.0
//
// The error replies that more than one command gives, as Redis 7.0 words them.
//
// Thread safety: constants.
#pragma once

namespace vigil::server {

inline constexpr char kSyntaxError[] = "ERR syntax error";
inline constexpr char kNotAnInteger[] = "ERR value is not an integer or out of range";
inline constexpr char kNotAFloat[] = "ERR value is not a valid float";
inline constexpr char kWrongType[] =
    "WRONGTYPE Operation against a key holding the wrong kind of value";
inline constexpr char kOutOfMemory[] = "OOM command not allowed when used memory > 'maxmemory'.";
inline constexpr char kKeyTooLarge[] = "ERR key exceeds maximum allowed size";
inline constexpr char kValueTooLarge[] =
    "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
inline constexpr char kBusy[] = "BUSY shard queue is full, retry";

inline constexpr char kBadClientName[] =
    "ERR Client names cannot contain spaces, newlines or special characters.";

}  // namespace vigil::server
