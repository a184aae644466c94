// SPDX-License-Identifier: Apache-2.0
//
// MapMisuse: what CheckedMap found out about two threads that used a map at the same time, and what
// is to be done about it.
//
// The text of a report (MapMisuse::text, written to standard error by kAbort and kLog) is read back
// by `vigil triage`:
//
//   fatal error: concurrent map writes
//   vigil: map "orders" at 0x7ffc5d0e1a40
//   vigil: insert_or_assign by thread 4242 "worker-3", running
//       #0 0x55d0c0ffee1f in orders::put(Order const&) (/srv/ordersd+0x1ee1f)
//       #1 ...
//   vigil: erase by thread 4240 "cleaner", inside the operation
//       #0 0x55d0c0ffef2b in orders::clean() (/srv/ordersd+0x1ef2b)
//   vigil: end of report
//
// The first line is one of Go's three: "concurrent map writes", "concurrent map read and map
// write", "concurrent map iteration and map write". The two "by thread" lines name the operation
// (vigil/stacks/map_operation.h), the kernel's thread id and the thread's name. After the comma
// stands how good the stack is: "running" (the thread that found out), "inside the operation"
// (stopped within it) or "after the operation" (it had just left; the stack says where it was
// then). Addresses lie inside the call; those in parentheses are relative to the module. A stack
// that could not be had is a line "    (no stack: why)". Unknown functions are "??".
//
// Thread safety: plain values.
//
// Example:
//   vigil::MisuseOptions options{.name = "orders", .policy = vigil::MisusePolicy::kHandle};
//   options.handler = [](const vigil::MapMisuse& misuse) { assert(misuse.map_name == "orders"); };
//   assert(vigil::to_string(vigil::MisuseKind::kWrites) == "concurrent map writes");
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "vigil/stacks/map_operation.h"

namespace vigil {

enum class MisusePolicy : std::uint8_t {
  kAbort,   // write the report, then std::abort()
  kHandle,  // call MisuseOptions::handler
  kLog,     // write the report of the first few; go on
};

enum class MisuseKind : std::uint8_t { kWrites, kReadAndWrite, kIterationAndWrite };

// Go's words: "concurrent map writes", ...
[[nodiscard]] constexpr std::string_view to_string(MisuseKind kind) noexcept {
  switch (kind) {
    case MisuseKind::kWrites:
      return "concurrent map writes";
    case MisuseKind::kReadAndWrite:
      return "concurrent map read and map write";
    case MisuseKind::kIterationAndWrite:
      return "concurrent map iteration and map write";
  }
  return "unknown";
}

struct MisuseSide {
  pid_t thread = 0;
  std::string_view thread_name;  // empty if it has ended
  MapOperation operation = MapOperation::kNone;
  bool inside = false;                    // the stack was taken inside the operation
  std::span<const std::uintptr_t> stack;  // innermost first; empty if it could not be had
  std::string_view no_stack_because;
};

// Valid during the call of the handler.
struct MapMisuse {
  MisuseKind kind = MisuseKind::kWrites;
  std::string_view map_name;
  const void* map = nullptr;
  MisuseSide current;  // the thread that found out, which runs the handler
  MisuseSide other;
  std::string_view text;
};

struct MisuseOptions {
  std::string name = "unnamed";  // of the map
  MisusePolicy policy = MisusePolicy::kAbort;
  // Called by the thread that found out, one at a time in the process, for every misuse. Must not
  // throw and not use the map.
  std::function<void(const MapMisuse&)> handler = {};
};

}  // namespace vigil
