// SPDX-License-Identifier: Apache-2.0
//
// MapOptions, MapStats, GetOrInsertResult: what the maps of the family have in common in their
// signatures. A map that has more options or figures has types of its own for them.
//
// Thread safety: plain values.
//
// Example:
//   const vigil::MapOptions options{.name = "orders"};
//   assert(options.name == "orders");
#pragma once

#include <cstdint>
#include <string>

namespace vigil {

struct MapOptions {
  std::string name = {};  // of the map, for thread dumps (docs/thread-dump.md)
};

struct MapStats {
  std::uint64_t entries = 0;
  std::uint64_t slots = 0;
  std::uint64_t table_bytes = 0;  // keys and values on the heap not included
};

template <class Value>
struct GetOrInsertResult {
  Value value;    // what the map holds now
  bool inserted;  // whether it was added by this call
};

}  // namespace vigil
