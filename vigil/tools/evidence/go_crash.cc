// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/evidence/go_crash.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "vigil/tools/layers/layers.h"

namespace vigil::tools::evidence {

namespace {

using report::Kind;
using report::Operation;

Kind kind_of(std::string_view message) {
  if (message == "concurrent map writes") return Kind::kMapWrites;
  if (message == "concurrent map read and map write") return Kind::kMapReadAndWrite;
  if (message == "concurrent map iteration and map write") {
    return Kind::kMapIterationAndWrite;
  }
  if (message == "concurrent map clone and map write") return Kind::kMapIterationAndWrite;
  if (message.starts_with("all goroutines are asleep")) return Kind::kDeadlock;
  if (message.starts_with("sync: ")) return Kind::kLockMisuse;
  return Kind::kCrash;
}

Operation operation_of_noticing(Kind kind) {
  switch (kind) {
    case Kind::kMapWrites:
      return Operation::kMapWrite;
    case Kind::kMapReadAndWrite:
      return Operation::kMapRead;
    case Kind::kMapIterationAndWrite:
      return Operation::kMapIterate;
    default:
      return Operation::kUnknown;
  }
}

const report::Frame* place_of(const report::Stack& stack) {
  const layers::Attribution found = layers::Rules::defaults().attribute(stack);
  return found.has_place ? &stack[found.place] : nullptr;
}

// "example.com/svc/cache.(*Users).Put" -> "example.com/svc/cache.(*Users)"; empty for a function.
std::string_view receiver_of(std::string_view function) {
  const std::size_t close = function.find(").");
  return close == std::string_view::npos ? std::string_view() : function.substr(0, close + 1);
}

// Inside of a map a goroutine may wait for memory or the scheduler, not for a channel or a clock.
bool waits_by_its_own_will(const report::Thread& thread) {
  static constexpr std::array<std::string_view, 6> kStates = {"chan ",   "select",  "sleep",
                                                              "IO wait", "syscall", "sync."};
  return std::any_of(kStates.begin(), kStates.end(),
                     [&](std::string_view state) { return thread.state.starts_with(state); });
}

// 2: the same function, 1: methods of one type, 0: neither.
int kinship(const report::Frame& place, const report::Frame& other) {
  if (other.function == place.function) return 2;
  const std::string_view receiver = receiver_of(place.function);
  return !receiver.empty() && receiver == receiver_of(other.function) ? 1 : 0;
}

}  // namespace

GoCrash::GoCrash(std::string_view headline) : message_(headline) {
  constexpr std::string_view kFatal = "fatal error: ";
  const bool fatal = headline.starts_with(kFatal);
  kind_ = fatal ? kind_of(headline.substr(kFatal.size())) : Kind::kCrash;
}

bool GoCrash::is_about_maps() const { return operation_of_noticing(kind_) != Operation::kUnknown; }

void GoCrash::add(const Goroutine& goroutine) {
  if (!noticed_by_) {
    noticed_by_ = goroutine;
    return;
  }
  if (!is_about_maps() || others_.size() == kCandidatesMax) return;
  const int how_well = match(goroutine);
  if (how_well > 0) others_.emplace_back(how_well, goroutine);
}

int GoCrash::match(const Goroutine& other) const {
  constexpr int kInSomeMap = 10;
  const Goroutine& noticed = *noticed_by_;
  const report::Frame* place = place_of(noticed.thread.stack);
  if (other.operation != Operation::kUnknown) {
    if (!report::is_write(other.operation)) return 0;
    if (other.map != 0 && noticed.map != 0) return other.map == noticed.map ? kCertain : 0;
    const report::Frame* other_place = place_of(other.thread.stack);
    const bool has_places = place != nullptr && other_place != nullptr;
    return kInSomeMap + (has_places ? kinship(*place, *other_place) : 0);
  }
  const bool frames_are_hidden = noticed.operation == Operation::kUnknown;
  if (!frames_are_hidden || place == nullptr || other.thread.stack.empty() ||
      waits_by_its_own_will(other.thread)) {
    return 0;
  }
  return kinship(*place, other.thread.stack.front());
}

report::Access GoCrash::access_of(const Goroutine& goroutine) const {
  report::Access access;
  access.thread = goroutine.thread.id;
  access.operation =
      goroutine.operation == Operation::kUnknown ? Operation::kMapWrite : goroutine.operation;
  access.address = goroutine.map;
  access.stack = goroutine.thread.stack;
  return access;
}

report::Finding GoCrash::finding() const {
  report::Finding finding;
  finding.kind = kind_;
  finding.message = message_;
  if (!noticed_by_) return finding;
  report::Access first = access_of(*noticed_by_);
  if (noticed_by_->operation == Operation::kUnknown) first.operation = operation_of_noticing(kind_);
  finding.location.address = first.address;
  finding.accesses.push_back(std::move(first));
  finding.threads.push_back(noticed_by_->thread);
  finding.location.type = is_about_maps() ? "Go map" : "";
  int best = 0;
  for (const auto& [how_well, other] : others_) best = std::max(best, how_well);
  std::set<std::string> places;
  for (const auto& [how_well, other] : others_) {
    if (how_well != best) continue;
    // One of each place is enough: eight handlers in the same line are one collision.
    const report::Frame* place = place_of(other.thread.stack);
    if (!places.insert(place == nullptr ? "" : place->function).second) continue;
    finding.accesses.push_back(access_of(other));
    finding.threads.push_back(other.thread);
  }
  return finding;
}

}  // namespace vigil::tools::evidence
