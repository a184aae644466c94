// SPDX-License-Identifier: Apache-2.0
//
// MapOperation: says, while it lives, that this thread is inside an operation on a map, so that a
// thread dump can name the operation and the map.
//
//   Value get(const Key& key) {
//     const thread_dump::MapOperation inside(
//         {thread_dump::MapAction::kRead, this, "user_cache", "CheckedMap<int, User>"});
//     ...
//   }
//
// Use when: a map wants to be visible in dumps and in fatal reports. Scopes nest; the innermost is
// shown.
//
// Thread safety: belongs to the thread that made it. A signal handler on the same thread reads it.
// Complexity: two stores to a thread-local word; no lock, no allocation.
#pragma once

#include <atomic>
#include <cstdint>

namespace vigil::thread_dump {

enum class MapAction : std::uint8_t { kRead, kWrite, kErase, kIterate };

// The strings live as long as the map; `name` and `type` may be null.
struct MapMark {
  MapAction action = MapAction::kRead;
  const void* map = nullptr;
  const char* name = nullptr;
  const char* type = nullptr;
};

class MapOperation {
 public:
  explicit MapOperation(const MapMark& mark) : mark_(mark), outer_(innermost_) {
    // The handler sees the mark whole or not at all.
    std::atomic_signal_fence(std::memory_order_release);
    innermost_ = this;
  }
  ~MapOperation() {
    innermost_ = outer_;
    std::atomic_signal_fence(std::memory_order_release);
  }
  MapOperation(const MapOperation&) = delete;
  MapOperation& operator=(const MapOperation&) = delete;

  // Of this thread; nullptr outside all operations. Context: also a signal handler.
  static const MapMark* current() {
    std::atomic_signal_fence(std::memory_order_acquire);
    return innermost_ == nullptr ? nullptr : &innermost_->mark_;
  }

 private:
  // initial-exec: reading it never allocates.
  [[gnu::tls_model(
      "initial-exec")]] static inline constinit thread_local const MapOperation* innermost_ =
      nullptr;

  const MapMark mark_;
  const MapOperation* const outer_;
};

}  // namespace vigil::thread_dump
