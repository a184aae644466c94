// SPDX-License-Identifier: Apache-2.0
//
// The maps that `vigil bench maps` and `vigil advise` measure. Adding one is one line in the
// function of its family (contenders_*.cc). Families of packages that were not found when this was
// configured are left out.
//
// Thread safety: a plain value.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "vigil/tools/bench/maps/contender.h"

namespace vigil::tools {

struct MapEntry {
  std::string name;
  Role role = Role::kVigil;
  bool reads_only = false;  // a write copies the map: no cell with writes, no growth
  std::string reason;       // when to choose it, for vigil advise
  std::function<std::unique_ptr<Contender<std::uint64_t>>()> with_numbers;
  std::function<std::unique_ptr<Contender<std::string>>()> with_strings;

  template <class Key>
  [[nodiscard]] std::unique_ptr<Contender<Key>> make() const {
    if constexpr (std::is_integral_v<Key>) {
      return with_numbers();
    } else {
      return with_strings();
    }
  }
  [[nodiscard]] bool is_peer() const {
    return role == Role::kConcurrentMap || role == Role::kLockedMap;
  }
  [[nodiscard]] bool one_thread_only() const {
    return role == Role::kVigilOneThread || role == Role::kLimit;
  }
  [[nodiscard]] bool can_do(std::uint32_t threads, std::uint32_t read_percent) const {
    return (threads == 1 || !one_thread_only()) && (read_percent == 100 || !reads_only);
  }
};

using Registry = std::vector<MapEntry>;

// Adapter<Key> is the adapter of the map.
template <template <class> class Adapter>
MapEntry& add_map(Registry& registry, std::string name, Role role, std::string reason = {}) {
  MapEntry entry;
  entry.name = std::move(name);
  entry.role = role;
  entry.reason = std::move(reason);
  entry.with_numbers = [] {
    return std::make_unique<ContenderOf<Adapter<std::uint64_t>, std::uint64_t>>();
  };
  entry.with_strings = [] {
    return std::make_unique<ContenderOf<Adapter<std::string>, std::string>>();
  };
  return registry.emplace_back(std::move(entry));
}

void add_vigil_maps(Registry& registry);
void add_abseil_maps(Registry& registry);
void add_tbb_maps(Registry& registry);
void add_urcu_maps(Registry& registry);
void add_boost_limit(Registry& registry);

// All of them, vigil's first.
[[nodiscard]] Registry all_maps();

}  // namespace vigil::tools
