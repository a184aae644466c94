// SPDX-License-Identifier: Apache-2.0
//
// visited_goes_on(): calls the visitor of a for_each and says whether to go on.
//
// Thread safety: that of the visitor.
#pragma once

#include <type_traits>
#include <utility>

namespace vigil::maps::internal {

// A visitor that returns nothing never stops.
template <class Visitor, class... Args>
bool visited_goes_on(Visitor& visitor, Args&&... args) {
  if constexpr (std::is_void_v<std::invoke_result_t<Visitor&, Args...>>) {
    visitor(std::forward<Args>(args)...);
    return true;
  } else {
    return static_cast<bool>(visitor(std::forward<Args>(args)...));
  }
}

}  // namespace vigil::maps::internal
