// SPDX-License-Identifier: Apache-2.0
//
// MapOperation: the operations on a map by name, for marks (map_mark.h), reports and dumps.
//
// Thread safety: pure.
//
// Example:
//   assert(vigil::to_string(vigil::MapOperation::kUpdate) == "update");
//   assert(vigil::kind_of(vigil::MapOperation::kUpdate) == "map write");
#pragma once

#include <cstdint>
#include <string_view>

namespace vigil {

enum class MapOperation : std::uint8_t {
  kNone,
  kGet,      // get, visit, contains, size, stats
  kIterate,  // for_each, check_invariants
  kInsert,
  kInsertOrAssign,
  kGetOrInsert,
  kExchange,
  kCompareExchange,
  kUpdate,
  kErase,  // erase, erase_if, compare_erase
  kTake,
  kClear,
  kReserve,  // reserve, set_shard_count
  kEdit,     // edit: any change of the whole map
  kSweep,    // sweep: removing what has expired
};

[[nodiscard]] constexpr bool is_map_write(MapOperation operation) noexcept {
  return operation >= MapOperation::kInsert;
}

// What it does to the map, in the words of vigil::report: "map read", "map write", ...
[[nodiscard]] constexpr std::string_view kind_of(MapOperation operation) noexcept {
  switch (operation) {
    case MapOperation::kNone:
    case MapOperation::kGet:
      return "map read";
    case MapOperation::kIterate:
      return "map iterate";
    case MapOperation::kErase:
    case MapOperation::kTake:
    case MapOperation::kClear:
    case MapOperation::kSweep:
      return "map erase";
    default:
      return "map write";
  }
}

// The name of the member function.
[[nodiscard]] constexpr std::string_view to_string(MapOperation operation) noexcept {
  switch (operation) {
    case MapOperation::kNone:
      return "none";
    case MapOperation::kGet:
      return "get";
    case MapOperation::kIterate:
      return "for_each";
    case MapOperation::kInsert:
      return "insert";
    case MapOperation::kInsertOrAssign:
      return "insert_or_assign";
    case MapOperation::kGetOrInsert:
      return "get_or_insert";
    case MapOperation::kExchange:
      return "exchange";
    case MapOperation::kCompareExchange:
      return "compare_exchange";
    case MapOperation::kUpdate:
      return "update";
    case MapOperation::kErase:
      return "erase";
    case MapOperation::kTake:
      return "take";
    case MapOperation::kClear:
      return "clear";
    case MapOperation::kReserve:
      return "reserve";
    case MapOperation::kEdit:
      return "edit";
    case MapOperation::kSweep:
      return "sweep";
  }
  return "unknown";
}

}  // namespace vigil
