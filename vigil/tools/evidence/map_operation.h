// SPDX-License-Identifier: Apache-2.0
//
// What a thread does to a map, as its stack shows it: the innermost frames belong to the container,
// the frame next to the application is the operation that was called.
//
// Known: Go's runtime up to 1.23 (runtime.mapassign_faststr) and its Swiss maps since 1.24
// (internal/runtime/maps.(*Map).PutSlot), reflection on maps; maps and sets of the C++ standard
// library, Abseil, Boost, Folly, TBB and others that keep its names.
//
// Thread safety: pure functions. Complexity: O(length of the innermost frames).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "vigil/report/report.h"

namespace vigil::tools::evidence {

// The operation that a single frame stands for; kUnknown if it is no map function.
report::Operation map_operation_of(std::string_view function);

// The operation that a stack is inside of, kUnknown if none. Only the frames before the first that
// is neither of a container or library, nor a function object that the container calls (a hash, a
// comparison), count.
report::Operation map_operation(const report::Stack& stack);

// How many frames belong to the operation on the map; 0 if there is none. The next one is its
// caller.
std::size_t frames_of_map_operation(const report::Stack& stack);

// The container that a stack is inside of ("std::unordered_map", "Go map"), or empty.
std::string container_of(const report::Stack& stack);

// The more telling of what a detector says (a read or write of memory) and what the stack shows.
report::Operation refine(report::Operation of_memory, const report::Stack& stack);

}  // namespace vigil::tools::evidence
