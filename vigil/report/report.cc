// SPDX-License-Identifier: Apache-2.0
#include "vigil/report/report.h"

#include <array>
#include <cstddef>

namespace vigil::report {
namespace {

// In the order of the enumerations.
constexpr std::array<std::string_view, 12> kKinds = {
    "race",
    "deadlock",
    "lost wake-up",
    "livelock",
    "use-after-free",
    "crash",
    "concurrent map writes",
    "concurrent map read and map write",
    "concurrent map iteration and map write",
    "lock misuse",
    "leak",
    "other",
};
constexpr std::array<std::string_view, 10> kOperations = {
    "unknown", "read",     "write",     "atomic read", "atomic write",
    "free",    "map read", "map write", "map erase",   "map iterate",
};
constexpr std::array<std::string_view, 6> kLocations = {
    "unknown", "global", "heap", "stack", "thread local", "file",
};
static_assert(static_cast<std::size_t>(Kind::kOther) + 1 == kKinds.size());
static_assert(static_cast<std::size_t>(Operation::kMapIterate) + 1 == kOperations.size());
static_assert(static_cast<std::size_t>(Location::Kind::kFile) + 1 == kLocations.size());

template <class Enum, std::size_t kSize>
std::string_view name_in(const std::array<std::string_view, kSize>& names, Enum value) {
  const auto index = static_cast<std::size_t>(value);
  return index < kSize ? names[index] : std::string_view("unknown");
}

template <class Enum, std::size_t kSize>
std::optional<Enum> value_in(const std::array<std::string_view, kSize>& names,
                             std::string_view name) {
  for (std::size_t i = 0; i < kSize; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Kind kind) { return name_in(kKinds, kind); }
std::string_view to_string(Operation operation) { return name_in(kOperations, operation); }
std::string_view to_string(Location::Kind kind) { return name_in(kLocations, kind); }

std::optional<Kind> kind_from(std::string_view name) { return value_in<Kind>(kKinds, name); }
std::optional<Operation> operation_from(std::string_view name) {
  return value_in<Operation>(kOperations, name);
}
std::optional<Location::Kind> location_kind_from(std::string_view name) {
  return value_in<Location::Kind>(kLocations, name);
}

bool is_map_operation(Operation operation) { return operation >= Operation::kMapRead; }

bool is_write(Operation operation) {
  switch (operation) {
    case Operation::kWrite:
    case Operation::kAtomicWrite:
    case Operation::kFree:
    case Operation::kMapWrite:
    case Operation::kMapErase:
      return true;
    default:
      return false;
  }
}

}  // namespace vigil::report
