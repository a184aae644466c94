// SPDX-License-Identifier: Apache-2.0
//
// HeapBytes<T>: about how many bytes a value holds besides its own sizeof. The maps whose readers
// take no lock destroy what was erased or replaced a little later; by these figures they bound how
// much waits (docs/maps.md).
//
// Use when: a type of yours holds much memory or another scarce thing and is a value or key of a
// ShardedMap or ReadMostlyMap: specialise it. Use instead: nothing for texts, containers of the
// standard library with contiguous elements, optional, pair, unique_ptr and shared_ptr of such;
// a class that is not trivially copyable counts as kUnknownHeapBytes more.
//
// An estimate, read once when the value is retired; it must be O(1) and may be called while other
// threads read the value.
//
// Thread safety: as const members of T.
//
// Example:
//   assert(vigil::HeapBytes<std::vector<int>>::of(std::vector<int>(100)) >= 400);
//   assert(vigil::HeapBytes<int>::of(17) == 0);
#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace vigil {

inline constexpr std::size_t kUnknownHeapBytes = 1024;

template <class T>
struct HeapBytes {
  static std::size_t of(const T& value) noexcept {
    if constexpr (std::is_trivially_copyable_v<T>) {
      return 0;
    } else if constexpr (requires {
                           typename T::value_type;
                           { value.capacity() } -> std::convertible_to<std::size_t>;
                           { *value.data() } -> std::convertible_to<const typename T::value_type&>;
                         }) {
      using Element = typename T::value_type;
      const std::size_t elements = value.size() == 0 ? 0 : HeapBytes<Element>::of(*value.data());
      return value.capacity() * sizeof(Element) + value.size() * elements;
    } else {
      return kUnknownHeapBytes;
    }
  }
};

template <class T>
struct HeapBytes<std::optional<T>> {
  static std::size_t of(const std::optional<T>& value) noexcept {
    return value.has_value() ? HeapBytes<T>::of(*value) : 0;
  }
};

template <class A, class B>
struct HeapBytes<std::pair<A, B>> {
  static std::size_t of(const std::pair<A, B>& value) noexcept {
    return HeapBytes<A>::of(value.first) + HeapBytes<B>::of(value.second);
  }
};

namespace maps::internal {

// Of what a smart pointer leads to, which may be an array or unknown.
template <class T, class Pointer>
[[nodiscard]] std::size_t pointee_bytes(const Pointer& pointer) noexcept {
  if (pointer == nullptr) return 0;
  if constexpr (std::is_object_v<T> && !std::is_array_v<T> && std::is_final_v<T>) {
    return sizeof(T) + HeapBytes<std::remove_cv_t<T>>::of(*pointer);
  } else if constexpr (std::is_object_v<T> && !std::is_array_v<T> && !std::is_polymorphic_v<T> &&
                       !std::is_abstract_v<T>) {
    return sizeof(T) + HeapBytes<std::remove_cv_t<T>>::of(*pointer);
  } else {
    return kUnknownHeapBytes;
  }
}

}  // namespace maps::internal

template <class T>
struct HeapBytes<std::shared_ptr<T>> {
  static std::size_t of(const std::shared_ptr<T>& value) noexcept {
    return maps::internal::pointee_bytes<T>(value);
  }
};

template <class T, class Delete>
struct HeapBytes<std::unique_ptr<T, Delete>> {
  static std::size_t of(const std::unique_ptr<T, Delete>& value) noexcept {
    return maps::internal::pointee_bytes<T>(value);
  }
};

}  // namespace vigil
