// SPDX-License-Identifier: Apache-2.0
//
// FlatValues: how the values of a FlatTable are stored.
//
//   in place   values whose move constructor does not throw, so that a table can grow without fear
//   on the heap, a pointer in the slot: all others (std::deque and std::list of libstdc++)
//
// A Stored value is moved by its move constructor; one on the heap is destroyed by destroy(), never
// by itself.
//
// Thread safety: none of its own. Exceptions: strong guarantee.
#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace vigil::maps::internal {

template <class Value, class Allocator, bool kInPlace = std::is_nothrow_move_constructible_v<Value>>
struct FlatValues {
  using Stored = Value;

  static Value& get(Stored& stored) noexcept { return stored; }
  static const Value& get(const Stored& stored) noexcept { return stored; }

  template <class... Args>
  static void store(Stored* place, Allocator&, Args&&... args) {
    ::new (static_cast<void*>(place)) Value(std::forward<Args>(args)...);
  }
  static void destroy(Stored& stored, Allocator&) noexcept { std::destroy_at(&stored); }

  static constexpr bool kReplaceIsNoexcept = true;
  // Without a moment at which there is no value.
  static void replace(Stored& stored, Allocator&, Value&& value) noexcept {
    if constexpr (std::is_nothrow_move_assignable_v<Value>) {
      stored = std::move(value);
    } else {
      std::destroy_at(&stored);
      std::construct_at(&stored, std::move(value));
    }
  }
  // Returns the value that was there.
  static std::optional<Value> exchange(Stored& stored, Allocator& allocator, Value&& value) {
    std::optional<Value> previous(std::move(stored));
    replace(stored, allocator, std::move(value));
    return previous;
  }
};

template <class Value, class Allocator>
struct FlatValues<Value, Allocator, false> {
  using Stored = Value*;

  static Value& get(Stored stored) noexcept { return *stored; }

  template <class... Args>
  static void store(Stored* place, Allocator& allocator, Args&&... args) {
    Box box(allocator, std::forward<Args>(args)...);
    std::construct_at(place, box.release());
  }
  static void destroy(Stored stored, Allocator& allocator) noexcept {
    Box::destroy(stored, allocator);
  }

  static constexpr bool kReplaceIsNoexcept = std::is_nothrow_move_assignable_v<Value>;
  static void replace(Stored& stored, Allocator& allocator,
                      Value&& value) noexcept(kReplaceIsNoexcept) {
    if constexpr (kReplaceIsNoexcept) {
      *stored = std::move(value);
    } else {
      Box box(allocator, std::move(value));
      destroy(std::exchange(stored, box.release()), allocator);
    }
  }
  static std::optional<Value> exchange(Stored& stored, Allocator& allocator, Value&& value) {
    Box box(allocator, std::move(value));
    std::optional<Value> previous(std::move(*stored));
    destroy(std::exchange(stored, box.release()), allocator);
    return previous;
  }

 private:
  // Owns a value on the heap until release().
  class Box {
    using Values = std::allocator_traits<
        typename std::allocator_traits<Allocator>::template rebind_alloc<Value>>;
    static_assert(std::is_same_v<typename Values::pointer, Value*>,
                  "fancy pointers are not supported");

   public:
    template <class... Args>
    explicit Box(Allocator& allocator, Args&&... args)
        : allocator_(allocator), value_(Values::allocate(allocator_, 1)) {
      Guard guard{*this};
      ::new (static_cast<void*>(value_)) Value(std::forward<Args>(args)...);
      guard.box = nullptr;
    }
    ~Box() {
      if (value_ == nullptr) return;
      std::destroy_at(value_);
      Values::deallocate(allocator_, value_, 1);
    }
    Box(const Box&) = delete;
    Box& operator=(const Box&) = delete;

    [[nodiscard]] Value* release() noexcept { return std::exchange(value_, nullptr); }
    static void destroy(Value* value, Allocator& allocator) noexcept {
      typename Values::allocator_type values(allocator);
      std::destroy_at(value);
      Values::deallocate(values, value, 1);
    }

   private:
    struct Guard {
      explicit Guard(Box& owner) noexcept : box(&owner) {}
      ~Guard() {
        if (box != nullptr) Values::deallocate(box->allocator_, box->value_, 1);
      }
      Box* box;
    };

    typename Values::allocator_type allocator_;
    Value* value_;
  };
};

}  // namespace vigil::maps::internal
