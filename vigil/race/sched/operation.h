// SPDX-License-Identifier: Apache-2.0
//
// What a task is about to do at a scheduling point, as far as strategies care.
//
// Thread safety: plain values.
#pragma once

#include <cstdint>

namespace vigil::race {

enum class PointKind : std::uint8_t {
  kSync,         // lock, unlock, signal, create, ... on the object
  kAtomicRead,   // atomic load
  kAtomicWrite,  // atomic store, exchange, fetch_add, ...
  kMemoryRead,   // plain accesses, where the options ask for points at them
  kMemoryWrite,
  kYield,  // the task says that others should go on
  kIo,     // descriptor operation
};

// Of one live task; numbers of finished tasks are used again.
using TaskId = std::uint32_t;

inline constexpr TaskId kNoTask = ~TaskId{0};
// The clock takes part in the choice like a task: choosing it fires the next deadline early.
inline constexpr TaskId kClockTask = kNoTask - 1;

// Live tasks at the same time.
inline constexpr std::uint32_t kTasksMax = 4096;

inline constexpr std::uint64_t kNever = ~std::uint64_t{0};  // a deadline that never comes

struct Operation {
  PointKind kind = PointKind::kSync;
  std::uintptr_t object = 0;
};

inline bool is_read(PointKind kind) {
  return kind == PointKind::kAtomicRead || kind == PointKind::kMemoryRead;
}

// Whether the order of the two operations can matter. Only the start of an access is known, so an
// object is the 8 bytes around it.
inline bool in_conflict(const Operation& a, const Operation& b) {
  if (a.object == 0 || (a.object >> 3) != (b.object >> 3)) return false;
  return !is_read(a.kind) || !is_read(b.kind);
}

}  // namespace vigil::race
