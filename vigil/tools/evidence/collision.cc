// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/evidence/collision.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "vigil/text/hex.h"
#include "vigil/tools/evidence/map_operation.h"
#include "vigil/tools/layers/plain_name.h"

namespace vigil::tools::evidence {

namespace {

using report::Access;
using report::Finding;
using report::Kind;

bool is_map_kind(Kind kind) {
  return kind == Kind::kMapWrites || kind == Kind::kMapReadAndWrite ||
         kind == Kind::kMapIterationAndWrite;
}

bool is_collision_kind(Kind kind) {
  return is_map_kind(kind) || kind == Kind::kRace || kind == Kind::kUseAfterFree;
}

Confidence confidence_of(Kind kind, const Access& first, const Access* second) {
  if (second == nullptr || second->stack.empty() || first.stack.empty())
    return Confidence::kOneSide;
  // A detector compared the addresses, even where it does not print them.
  if (!is_map_kind(kind)) {
    const bool guessed = first.address != 0 && second->address == 0;
    return guessed ? Confidence::kLikely : Confidence::kCertain;
  }
  const bool same = first.address != 0 && first.address == second->address;
  return same ? Confidence::kCertain : Confidence::kLikely;
}

const report::Thread* thread_of(const Finding& finding, std::int64_t id) {
  const auto found = std::find_if(finding.threads.begin(), finding.threads.end(),
                                  [&](const report::Thread& thread) { return thread.id == id; });
  return found == finding.threads.end() || id < 0 ? nullptr : &*found;
}

// A frame without a name is told by its place in the module.
std::string name_of(const report::Frame& frame) {
  if (!frame.function.empty()) return frame.function;
  if (frame.module.empty() && frame.address == 0) return "unknown function";
  return frame.module + "+" + text::hex_number(frame.address);
}

std::string object_of(const Finding& finding, const Access& access) {
  const report::Location& location = finding.location;
  if (!location.object.empty()) return location.object;
  std::string object = location.type.empty() ? container_of(access.stack) : location.type;
  const std::uint64_t address = is_map_kind(finding.kind) ? access.address : location.address;
  if (address != 0 && !object.empty()) object += " at " + text::hex_number(address);
  if (object.empty() && location.kind == report::Location::Kind::kHeap) {
    object = "heap block of " + std::to_string(location.size) + " bytes";
  }
  return object;
}

// An operation on a map says more than one on its memory, and a write more than a read.
int weight(report::Operation operation) {
  return (report::is_map_operation(operation) ? 2 : 0) + (report::is_write(operation) ? 1 : 0);
}

// The side of `other` that is side `i` of `kept`; both collisions have the same key.
const Side& counterpart(const Collision& other, const Collision& kept, std::size_t i) {
  if (other.sides.size() == 1) return other.sides.front();
  const std::string wanted = function_key(kept.sides[i].function);
  const bool is_same = function_key(other.sides[i].function) == wanted;
  return other.sides[is_same ? i : 1 - i];
}

}  // namespace

std::string_view to_string(Confidence confidence) {
  static constexpr std::array<std::string_view, 3> kNames = {"certain", "likely", "one side"};
  return kNames.at(static_cast<std::size_t>(confidence));
}

bool is_write_write(const Collision& collision) {
  if (collision.kind == Kind::kMapWrites) return true;
  return collision.sides.size() == 2 && report::is_write(collision.sides[0].operation) &&
         report::is_write(collision.sides[1].operation);
}

std::string function_key(std::string_view function) { return layers::plain_name(function); }

bool is_collision(const Finding& finding) {
  return is_collision_kind(finding.kind) && !finding.accesses.empty();
}

Side side_of(const Finding& finding, const Access& access, const layers::Rules& rules) {
  Side side;
  side.operation = refine(access.operation, access.stack);
  side.thread = access.thread;
  side.stack = access.stack;
  if (const report::Thread* thread = thread_of(finding, access.thread)) {
    side.thread_name = thread->name;
    side.created_at = thread->created_at;
  }
  if (side.stack.empty()) return side;
  // A hash function of the application that the map calls is not the place: the map's caller is.
  const std::size_t inside = std::min(frames_of_map_operation(side.stack), side.stack.size() - 1);
  const report::Stack callers(side.stack.begin() + static_cast<std::ptrdiff_t>(inside),
                              side.stack.end());
  const layers::Attribution attribution = rules.attribute(callers, side.created_at);
  side.layer = attribution.layer;
  side.entry = attribution.entry;
  const report::Frame& place = callers[attribution.place];
  side.function = name_of(place);
  side.file = place.file;
  side.line = place.line;
  return side;
}

void CollisionTable::add(const Finding& finding) {
  if (!is_collision(finding)) return;
  const Access& first = finding.accesses.front();
  if (finding.accesses.size() == 1) return add_pair(finding, first, nullptr);
  for (std::size_t i = 1; i < finding.accesses.size(); ++i) {
    add_pair(finding, first, &finding.accesses[i]);
  }
}

void CollisionTable::add_pair(const Finding& finding, const Access& first, const Access* second) {
  Collision collision;
  collision.kind = finding.kind;
  collision.message = finding.message;
  collision.occurrences = finding.occurrences;
  collision.confidence = confidence_of(finding.kind, first, second);
  collision.object = object_of(finding, first);
  for (const Access* access : {&first, second}) {
    if (access != nullptr && !access->stack.empty()) {
      collision.sides.push_back(side_of(finding, *access, rules_));
    }
  }
  std::vector<std::string> names;
  for (const Side& side : collision.sides) names.push_back(function_key(side.function));
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    collision.key.append(collision.key.empty() ? "" : " | ").append(name);
  }
  const auto [known, is_new] = index_of_.emplace(collision.key, collisions_.size());
  if (is_new) {
    has_named_object_.push_back(!finding.location.object.empty());
    collisions_.push_back(std::move(collision));
  } else {
    merge(known->second, std::move(collision), !finding.location.object.empty());
  }
}

// The object that has a name, and the surest of the confidences, speak for all occurrences.
void CollisionTable::merge(std::size_t index, Collision&& other, bool object_is_named) {
  Collision& kept = collisions_[index];
  kept.occurrences += other.occurrences;
  kept.confidence = std::min(kept.confidence, other.confidence);
  if (kept.object.empty() || (object_is_named && !has_named_object_[index])) {
    kept.object = std::move(other.object);
    has_named_object_[index] = object_is_named;
  }
  for (std::size_t i = 0; i < kept.sides.size(); ++i) {
    const report::Operation operation = counterpart(other, kept, i).operation;
    if (weight(operation) > weight(kept.sides[i].operation)) kept.sides[i].operation = operation;
  }
}

std::vector<Collision> CollisionTable::sorted() const {
  std::vector<Collision> sorted = collisions_;
  std::sort(sorted.begin(), sorted.end(), [](const Collision& a, const Collision& b) {
    return std::tuple(a.confidence, -static_cast<double>(a.occurrences), a.key) <
           std::tuple(b.confidence, -static_cast<double>(b.occurrences), b.key);
  });
  return sorted;
}

std::vector<Collision> collisions_of(const report::Evidence& evidence, const layers::Rules& rules) {
  CollisionTable table(rules);
  for (const Finding& finding : evidence.findings) table.add(finding);
  return table.sorted();
}

}  // namespace vigil::tools::evidence
