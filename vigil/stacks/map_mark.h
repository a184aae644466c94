// SPDX-License-Identifier: Apache-2.0
//
// MapLabel and MapMark: who is inside which map. A map has a label, which says its name and type;
// a mark says, while it lives, that this thread is inside an operation on the map of that label, so
// that a thread dump (vigil/thread_dump) and a fatal report name the map and the operation.
//
// Use when: a map of your own is to be visible in dumps. Use instead: nothing for the maps of
// vigil/maps, which mark themselves (docs/thread-dump.md says which operations).
//
// Marks nest; a dump shows the innermost. An exclusive mark says moreover that the operation may
// not be entered again by the same thread: is_exclusive() is how a map stops a callback that would
// wait for its own thread.
//
// Thread safety: a label may be used by any thread and must outlive its marks. A mark belongs to
// the thread that made it; a signal handler on that thread may read it at any moment.
//
// Complexity: three stores to the stack and two to a thread-local word; no lock, no allocation.
//
// Example:
//   const vigil::MapLabel label(&label, "user_cache", "UserCache");
//   {
//     const vigil::MapMark inside(label, vigil::MapOperation::kGet);
//     assert(vigil::MapMark::current() == &inside);
//   }
//   assert(vigil::MapMark::current() == nullptr);
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "vigil/stacks/map_operation.h"

namespace vigil {

// Whether it is an error that two threads are inside the map, one of them changing it.
enum class MapSharing : std::uint8_t { kOneThread, kConcurrent };

class MapLabel {
 public:
  // `type` is not copied: a literal, or type_name() (type_name.h).
  MapLabel(const void* map, std::string name, std::string_view type,
           MapSharing sharing = MapSharing::kOneThread)
      : map_(map), name_(std::move(name)), type_(type), sharing_(sharing) {}
  MapLabel(const MapLabel&) = delete;
  MapLabel& operator=(const MapLabel&) = delete;

  [[nodiscard]] const void* map() const noexcept { return map_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }  // may be empty
  [[nodiscard]] std::string_view type() const noexcept { return type_; }
  [[nodiscard]] MapSharing sharing() const noexcept { return sharing_; }

 private:
  const void* map_;
  std::string name_;
  std::string_view type_;
  MapSharing sharing_;
};

class MapMark {
 public:
  enum class Kind : std::uint8_t { kInside, kExclusive };

  [[gnu::always_inline]] MapMark(const MapLabel& label, MapOperation operation,
                                 Kind kind = Kind::kInside) noexcept
      : label_(label), outer_(innermost_), operation_(operation), kind_(kind) {
    // A signal handler sees the mark whole or not at all.
    std::atomic_signal_fence(std::memory_order_release);
    innermost_ = this;
  }
  [[gnu::always_inline]] ~MapMark() {
    innermost_ = outer_;
    std::atomic_signal_fence(std::memory_order_release);
  }
  MapMark(const MapMark&) = delete;
  MapMark& operator=(const MapMark&) = delete;

  [[nodiscard]] const MapLabel& label() const noexcept { return label_; }
  [[nodiscard]] MapOperation operation() const noexcept { return operation_; }

  // Of this thread; nullptr outside all marks. Context: also a signal handler.
  [[nodiscard]] static const MapMark* current() noexcept {
    std::atomic_signal_fence(std::memory_order_acquire);
    return innermost_;
  }

  // Whether this thread is inside an exclusive mark of the map.
  [[nodiscard, gnu::always_inline]] static bool is_exclusive(const MapLabel& label) noexcept {
    for (const MapMark* mark = innermost_; mark != nullptr; mark = mark->outer_) {
      if (&mark->label_ == &label && mark->kind_ == Kind::kExclusive) return true;
    }
    return false;
  }

 private:
  // initial-exec: reading it never allocates.
  [[gnu::tls_model(
      "initial-exec")]] static inline constinit thread_local const MapMark* innermost_ = nullptr;

  const MapLabel& label_;
  const MapMark* outer_;
  MapOperation operation_;
  Kind kind_;
};

}  // namespace vigil
