// SPDX-License-Identifier: Apache-2.0
//
// The two lines that a frame takes in Go's dumps and race reports, and the arguments in the first.
//
//   example.com/svc/cache.(*Users).Put(0x57d220?, {0xc000102408?, 0x58d8b4?}, 0x1)
//   	/home/dev/svc/crash/cache/users.go:8 +0x3c fp=0xc000034f58 sp=0xc000034f28 pc=0x54c9dc
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "vigil/report/report.h"

namespace vigil::tools::evidence {

// A frame of the first line: the function and its package, without arguments.
report::Frame go_frame(std::string_view text);

// Adds the second line, without what indents it.
void set_go_place(std::string_view text, report::Frame* frame);

// The pointer to the map in the first line of a runtime function on maps. Zero if it is not shown
// or marked with "?": such a value may be stale.
std::uint64_t go_map_pointer(std::string_view text);

}  // namespace vigil::tools::evidence
