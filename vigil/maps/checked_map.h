// SPDX-License-Identifier: Apache-2.0
//
// CheckedMap: a fast hash map with the contract of the standard containers (const members may run
// at once, a write must be alone) that notices when the contract is broken, always, in release
// builds too. Go's built-in map does the same for Go ("fatal error: concurrent map writes"); this
// one also says who the other was, with both stacks. Its members are those of concurrent_map.h;
// docs/maps.md compares the maps of the family.
//
// Use when: a map belongs to one thread, or is guarded by a lock of the program, and a mistake in
// that should end in a report instead of a corrupt table; or while it is not yet decided which map
// of the family a shared std::unordered_map is to become. Use instead: ShardedMap, RwMap,
// ReadMostlyMap or SnapshotMap when several threads are meant to use the map at once.
//
// Requirements: Key can be copied, and moved without an exception; Value can be moved; Hash takes
// std::string_view where Key is std::string, else const Key&, and returns an integer; Equal
// compares two of these. The compiler says so in a sentence (internal/requirements.h).
//
// Thread safety: that of the contract. What breaks it is reported: concurrent writes, read and
// write, iteration and write. A program that synchronises its use of the map, in whatever way, is
// never reported (internal/access_check.h says what is seen and why; a misuse is not proven absent
// by silence).
//
// A misuse, by MisuseOptions::policy, is written to standard error and aborts (the default), or is
// handed to a handler, or is written and survived. Where the program goes on, the thread that came
// second waits up to 10 ms for the first to leave; the table may be damaged nevertheless.
// map_misuse.h describes the report.
//
// Consistency: that of a container in one thread.
//
// Callbacks must not use the same map (VIGIL_CHECK stops them). A reference must not leave them.
//   allowed:    map.update(a, [&](Value& v) { other.insert(b, v); });
//   forbidden:  map.update(a, [&](Value& v) { map.get(b); });      // stopped, with a message
//
// Costs: a read is two loads and two branches more than the bare table, a write some ten
// instructions; docs/maps.md has the measured share. One write in N sleeps
// 0.2 ms inside the operation to widen the window: at most 1 % of the time, for all maps of the
// process together.
//
// Complexity: O(1) expected. Memory: internal/flat/flat_table.h, and about 300 bytes.
//
// Exceptions: what copies, Hash, Equal and callbacks throw, and std::bad_alloc; the operation then
// has not happened (internal/flat/flat_map.h tells of update()).
//
// Left out on purpose: iterators, moves, emplace (concurrent_map.h says why).
//
// Example:
//   vigil::CheckedMap<std::string, int> orders({.name = "orders"});
//   orders.insert_or_assign("o:17", 1);  // another thread in here: fatal error
//   assert(orders.get("o:17") == 1);
//   assert(orders.stats().misuses_total == 0);
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "vigil/maps/default_hash.h"
#include "vigil/maps/internal/access_check.h"
#include "vigil/maps/internal/flat/flat_map.h"
#include "vigil/maps/internal/guarded_map.h"
#include "vigil/maps/map_misuse.h"
#include "vigil/maps/map_options.h"
#include "vigil/stacks/type_name.h"

namespace vigil {

struct CheckedMapStats {
  std::uint64_t entries = 0;
  std::uint64_t slots = 0;
  std::uint64_t table_bytes = 0;
  std::uint64_t misuses_total = 0;
  std::uint64_t lingers_total = 0;
};

template <class Key, class Value, class Hash = DefaultHash<Key>, class Equal = std::equal_to<Key>,
          class Allocator = std::allocator<std::pair<const Key, Value>>>
class CheckedMap
    : public maps::internal::GuardedMap<maps::internal::FlatMap<Key, Value, Hash, Equal, Allocator>,
                                        maps::internal::AccessCheck> {
 public:
  explicit CheckedMap(MisuseOptions options = {}, Hash hash = Hash(), Equal equal = Equal(),
                      const Allocator& allocator = {})
      : CheckedMap::GuardedMap(options.name, map_type_name<"CheckedMap", Key, Value>(),
                               std::move(hash), std::move(equal), allocator, std::move(options)) {}

  [[nodiscard]] CheckedMapStats stats() const {
    const MapStats table = this->table_stats();
    return {table.entries, table.slots, table.table_bytes, this->guarding().misuses(),
            this->guarding().lingers()};
  }
};

}  // namespace vigil
