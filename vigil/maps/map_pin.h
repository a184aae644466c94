// SPDX-License-Identifier: Apache-2.0
//
// MapPin<Value>: the value that an entry had when pin() was called, to be read for as long as the
// pin lives, outside of any callback. It does not change; the map goes on, and may replace or erase
// the entry meanwhile.
//
// Use when: a value is too large to copy and is read for longer than a callback should take, or by
// code that must use the map as well. Use instead: get() for values that are cheap to copy;
// visit() where the reading is short; SnapshotMap for all entries of one moment.
//
// A pin keeps this one value alive and nothing else: neither its entry nor its key, no lock and no
// other memory of the map. A value that lies in the table (trivially copyable, up to 32 bytes) is
// copied into the pin; another is shared with the map and destroyed by whoever is last, so a pin
// may outlive the map. What pins alone keep is not in stats(): the map has let it go.
//
// Thread safety: like a shared_ptr: a pin may be handed to other threads, one object is not itself
// thread-safe. What is pinned is const: do not change it through pointers that it holds.
//
// Complexity: O(1): a look-up and one addition to a counter of the value; readers who pin one value
// at the same time write that counter's line, those who visit it do not.
//
// Example:
//   vigil::ShardedMap<int, std::string> pages;
//   pages.insert(1, std::string(1'000, 'x'));
//   const auto page = pages.pin(1);
//   pages.erase(1);
//   assert(page && page->size() == 1'000);
//   assert(!pages.pin(2));
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "vigil/base/check.h"
#include "vigil/maps/internal/value_codec.h"

namespace vigil {

template <class Value>
class MapPin {
  using Held = typename maps::internal::ValueCodec<Value>::Held;

 public:
  // Nothing.
  MapPin() = default;
  // For the maps.
  explicit MapPin(Held held) noexcept : held_(std::move(held)) {}

  // Whether there was an entry.
  [[nodiscard]] explicit operator bool() const noexcept { return held_.get() != nullptr; }
  // REQUIRES: there was an entry.
  [[nodiscard]] const Value& operator*() const noexcept {
    VIGIL_CHECK(held_.get() != nullptr, "a pin without a value was read");
    return *held_.get();
  }
  [[nodiscard]] const Value* operator->() const noexcept { return &**this; }

 private:
  Held held_;
};

}  // namespace vigil
