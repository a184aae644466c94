// SPDX-License-Identifier: Apache-2.0
//
// Which map a stopped thread is inside: the address that `this` holds in the container's frames,
// and the name of what lies there.
//
// The same address on two threads proves the same map. A name is found in this order: a global or
// static variable and its member ("server.table"), a member of an object that an outer method works
// on ("shop::Cache.prices"), a variable on a thread's stack.
//
// Compilers, clang most of all, drop `this` of inlined methods. Then the map is concluded: the only
// member of that type of the object that the calling method works on, or the only global of that
// type that the calling function's code refers to.
//
// Thread safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "vigil/report/report.h"
#include "vigil/tools/core/frame_values.h"
#include "vigil/tools/core/unwound_stack.h"
#include "vigil/tools/symbolize/symbolizer.h"

namespace vigil::tools {

struct NamedStack {
  // Where a frame's values are.
  struct Place {
    std::size_t unwound = 0;  // index into UnwoundStack::frames
    std::size_t inlined = 0;  // the how many-th function at that address, from the innermost
  };

  report::Stack frames;
  std::vector<Place> places;  // of the frames, one each
};

NamedStack name_stack(Symbolizer* symbolizer, const UnwoundStack& stack);

// A thread inside an operation on a map.
struct MapUse {
  report::Operation operation = report::Operation::kUnknown;
  report::Location location;  // address 0: which map is not known
  // Not seen but concluded: the code around mentions only one map of this type.
  bool is_concluded = false;
  std::size_t frame = 0;  // the innermost frame of the container; it may call hash functions
};

std::optional<MapUse> map_use_of(Symbolizer* symbolizer, const UnwoundStack& stack,
                                 const NamedStack& named, const MemoryReader& memory);

// Whether the type is made for threads inside it at the same time.
bool is_concurrent_map(const std::string& type);

}  // namespace vigil::tools
