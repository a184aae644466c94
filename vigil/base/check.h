// SPDX-License-Identifier: Apache-2.0
//
// VIGIL_CHECK(condition, "what the caller did wrong"): a precondition or invariant that stays on
// in release builds. On failure it prints the condition, the place and the message to standard
// error and aborts. Use it for programmer errors only; bad input from a peer or a user is a
// Result (vigil/base/result.h).
//
// Thread safety: may be used anywhere; allocates nothing.
#pragma once

namespace vigil::internal {

[[noreturn, gnu::cold]] void check_failed(const char* condition, const char* file, int line,
                                          const char* message) noexcept;

}  // namespace vigil::internal

#define VIGIL_CHECK(condition, message) \
  (static_cast<bool>(condition)         \
       ? static_cast<void>(0)           \
       : ::vigil::internal::check_failed(#condition, __FILE__, __LINE__, (message)))
