// SPDX-License-Identifier: Apache-2.0
//
// MapOccupants: threads that a dump shows inside an operation on a map. Two inside the same map,
// one of them changing it, are a collision: no lock lets that happen.
//
// One thread inside of a map, or two inside of maps that cannot be told apart, are no finding: a
// program that works is in its maps as well.
//
// Thread safety: none. Memory: at most kOccupantsMax threads; further ones are passed over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "vigil/report/report.h"
#include "vigil/tools/evidence/sink.h"

namespace vigil::tools::evidence {

class MapOccupants {
 public:
  static constexpr std::size_t kOccupantsMax = 4096;
  static constexpr std::size_t kAccessesMax = 16;  // of one finding

  // `map` is the address of the map, 0 if it is not known; `name` its variable, or empty.
  void add(const report::Thread& thread, report::Operation operation, std::uint64_t map,
           std::string_view name = {});
  // Reports every map with two occupants or more, at least one of which changes it.
  void report_to(Sink& sink);

 private:
  struct Occupant {
    report::Thread thread;
    report::Operation operation;
    std::string map_name;
  };

  std::unordered_map<std::uint64_t, std::vector<Occupant>> by_map_;
  std::size_t size_ = 0;
};

// The kind of a collision of one that changes the map with another.
report::Kind map_kind(report::Operation other);

}  // namespace vigil::tools::evidence
