// SPDX-License-Identifier: Apache-2.0
//
// AccessWord: the word by which a CheckedMap knows who writes it, or wrote it last:
//
//   bit 63 ............ 27 | 26 ......... 23 | 22     | 21 ......... 0
//   number of writes done  | operation       | active | thread that writes or wrote last
//
// Thread safety: pure functions of a word.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "vigil/stacks/map_operation.h"

namespace vigil::maps::internal {

struct AccessWord {
  static constexpr std::uint64_t kThread = (std::uint64_t{1} << 22) - 1;
  static constexpr std::uint64_t kActive = std::uint64_t{1} << 22;
  static constexpr std::uint32_t kOperationShift = 23;
  static constexpr std::uint64_t kOperation = std::uint64_t{15} << kOperationShift;
  static constexpr std::uint32_t kWritesShift = 27;
  static_assert(std::uint64_t(MapOperation::kSweep) <= kOperation >> kOperationShift);
  static constexpr std::uint64_t kOneWrite = std::uint64_t{1} << kWritesShift;

  static constexpr std::uint64_t kNobody = kThread;  // is no thread's id, and no write is done

  static std::uint64_t at_rest(std::uint64_t writes, std::uint64_t thread) noexcept {
    return writes << kWritesShift | thread;
  }
  // Of a word at rest.
  static std::uint64_t during(std::uint64_t before, MapOperation operation) noexcept {
    return (before & ~kOperation) + (kActive | std::uint64_t(operation) << kOperationShift);
  }
  static std::uint64_t after(std::uint64_t during) noexcept {
    return during + (kOneWrite - kActive);
  }
  static std::uint64_t writes(std::uint64_t word) noexcept { return word >> kWritesShift; }
  static bool active(std::uint64_t word) noexcept { return (word & kActive) != 0; }
  static pid_t thread(std::uint64_t word) noexcept { return static_cast<pid_t>(word & kThread); }
  static MapOperation operation(std::uint64_t word) noexcept {
    return static_cast<MapOperation>((word & kOperation) >> kOperationShift);
  }
};

}  // namespace vigil::maps::internal
