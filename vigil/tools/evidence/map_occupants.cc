// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/evidence/map_occupants.h"

#include <algorithm>
#include <utility>

namespace vigil::tools::evidence {

using report::Kind;
using report::Operation;

Kind map_kind(Operation other) {
  if (report::is_write(other)) return Kind::kMapWrites;
  return other == Operation::kMapIterate ? Kind::kMapIterationAndWrite : Kind::kMapReadAndWrite;
}

void MapOccupants::add(const report::Thread& thread, Operation operation, std::uint64_t map,
                       std::string_view name) {
  if (map == 0 || size_ == kOccupantsMax) return;
  ++size_;
  by_map_[map].push_back({thread, operation, std::string(name)});
}

void MapOccupants::report_to(Sink& sink) {
  std::vector<std::uint64_t> maps;
  for (const auto& [map, occupants] : by_map_) maps.push_back(map);
  std::sort(maps.begin(), maps.end());
  for (const std::uint64_t map : maps) {
    std::vector<Occupant>& occupants = by_map_[map];
    const auto writer = std::find_if(occupants.begin(), occupants.end(), [](const Occupant& one) {
      return report::is_write(one.operation);
    });
    if (occupants.size() < 2 || writer == occupants.end()) continue;
    // One that changes the map comes first: it collides with each of the others.
    std::rotate(occupants.begin(), writer, writer + 1);
    report::Finding finding;
    finding.kind = map_kind(occupants[1].operation);
    finding.message = std::to_string(occupants.size()) + " threads are inside the same map";
    finding.location.address = map;
    finding.location.object = occupants.front().map_name;
    for (Occupant& occupant : occupants) {
      if (finding.accesses.size() == kAccessesMax) break;
      report::Access access;
      access.thread = occupant.thread.id;
      access.operation = occupant.operation;
      access.address = map;
      access.stack = occupant.thread.stack;
      finding.accesses.push_back(std::move(access));
      finding.threads.push_back(std::move(occupant.thread));
    }
    sink.on_finding(std::move(finding));
  }
  by_map_.clear();
  size_ = 0;
}

}  // namespace vigil::tools::evidence
