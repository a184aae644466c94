// SPDX-License-Identifier: Apache-2.0
//
// MapOperation: the operations of the map family by name, for reports and statistics.
//
// Thread safety: pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace vigil {

enum class MapOperation : std::uint8_t {
  kNone,
  kGet,      // get, visit, contains, size
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
  kReserve,
};

[[nodiscard]] constexpr bool is_map_write(MapOperation operation) noexcept {
  return operation >= MapOperation::kInsert;
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
  }
  return "unknown";
}

}  // namespace vigil
