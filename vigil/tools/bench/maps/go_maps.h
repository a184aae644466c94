// SPDX-License-Identifier: Apache-2.0
//
// The Go program that measures Go's maps, as text (go_maps.go): an installed `vigil` brings it
// along and has it built by the machine's own `go`.
//
// Thread safety: a constant.
#pragma once

#include <string_view>

namespace vigil::tools {

extern const std::string_view kGoMapsSource;

}  // namespace vigil::tools
