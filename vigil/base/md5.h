// SPDX-License-Identifier: Apache-2.0
//
// The MD5 digest (RFC 1321), for hashes that must agree with other programs' (vigil/base/hash.h).
//
// Use when: bytes are to be routed as by `md5sum`. Use instead: seeded_hash() for tables; nothing
// of this project where somebody might want two texts to collide: MD5 resists nobody.
//
// Thread safety: a pure function.
//
// Example:
//   assert(vigil::md5("abc")[0] == 0x90 && vigil::md5("abc")[15] == 0x72);
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace vigil {

using Md5Digest = std::array<std::uint8_t, 16>;

[[nodiscard]] Md5Digest md5(std::string_view bytes) noexcept;

}  // namespace vigil
