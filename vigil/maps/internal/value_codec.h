// SPDX-License-Identifier: Apache-2.0
//
// ValueCodec<V>: how a value becomes the value words of a slot. The kind follows from V:
//
//   kInline  trivially copyable, at most 32 bytes: the bytes themselves
//   kShared  any other copyable type: pointer to a ValueNode, replaced as a whole
//   kLocked  a type that can only be moved: pointer to a LockedNode
//
// A Prepared value owns its node until release(); it is made before the shard is locked, so that
// an exception of a copy or an allocation finds the map untouched.
//
// Thread safety: pure functions; what `words` lead to must be kept alive by the caller (the shard's
// lock, or a hazard of vigil/table/hazard.h).
#pragma once

#include <emmintrin.h>

#include <array>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include "vigil/maps/internal/node.h"

namespace vigil::maps::internal {

enum class ValueKind : std::uint8_t { kInline, kShared, kLocked };

inline constexpr std::size_t kInlineValueBytesMax = 32;

template <class V>
[[nodiscard]] consteval ValueKind value_kind() {
  if (std::is_trivially_copyable_v<V> && std::is_copy_constructible_v<V> &&
      sizeof(V) <= kInlineValueBytesMax && alignof(V) <= 16) {
    return ValueKind::kInline;
  }
  return std::is_copy_constructible_v<V> ? ValueKind::kShared : ValueKind::kLocked;
}

// A trivially copyable object from its bytes. Words go through vector registers in pairs: had they
// been stored one by one, a wide load of the object would have to wait until both stores have left
// the store buffer, which takes longer than the rest of a lookup.
template <class T>
[[nodiscard]] T object_from(const std::uint64_t* words) noexcept {
  constexpr std::size_t kWords = (sizeof(T) + 7) / 8;
  alignas(16) alignas(T) std::array<unsigned char, (kWords + kWords % 2) * 8> bytes;
#pragma GCC unroll 4
  for (std::size_t i = 0; i + 1 < kWords; i += 2) {
    _mm_store_si128(
        reinterpret_cast<__m128i*>(&bytes[8 * i]),
        _mm_set_epi64x(static_cast<long long>(words[i + 1]), static_cast<long long>(words[i])));
  }
  if constexpr (kWords % 2 != 0) std::memcpy(&bytes[8 * (kWords - 1)], &words[kWords - 1], 8);
  return *std::launder(reinterpret_cast<const T*>(bytes.data()));
}

template <class V, ValueKind kKind = value_kind<V>()>
struct ValueCodec;

template <class V>
struct ValueCodec<V, ValueKind::kInline> {
  static constexpr bool kHasNode = false;
  static constexpr std::uint32_t kWords = (sizeof(V) + 7) / 8;

  class Prepared {
   public:
    // Any number for a map of numbers, as in a call of a function that takes a V.
    template <class From>
    requires std::constructible_from<V, const From&>
    explicit Prepared(const From& from) {
      const V value = static_cast<V>(from);
      std::memcpy(words_.data(), &value, sizeof(V));
    }
    [[nodiscard]] const std::uint64_t* words() const noexcept { return words_.data(); }
    void release() noexcept {}

   private:
    std::array<std::uint64_t, kWords> words_{};
  };

  // Calls read(const V&); false if the value is no longer the entry's (kLocked only).
  template <class Read>
  static bool access(const std::uint64_t* words, Read&& read) {
    const V value = object_from<V>(words);
    read(value);
    return true;
  }
  // A copy of the entry's value, changed by change(V&).
  template <class Change>
  static Prepared changed(const std::uint64_t* words, Change&& change) {
    V value = object_from<V>(words);
    change(value);
    return Prepared(value);
  }
  // The value of an entry that the caller is about to unlink.
  static V extract(const std::uint64_t* words) noexcept { return object_from<V>(words); }

  // What a pin has.
  class Held {
   public:
    Held() = default;
    explicit Held(const std::uint64_t* words) noexcept : value_(object_from<V>(words)) {}
    [[nodiscard]] const V* get() const noexcept { return value_ ? &*value_ : nullptr; }

   private:
    std::optional<V> value_;
  };
};

template <class V>
struct ValueCodec<V, ValueKind::kShared> {
  static constexpr bool kHasNode = true;
  static constexpr std::uint32_t kWords = 1;

  class Prepared {
   public:
    template <class... Args>
    explicit Prepared(Args&&... args)
        : node_(std::make_unique<ValueNode<V>>(std::forward<Args>(args)...)),
          word_(node_word(node_.get())) {}
    [[nodiscard]] const std::uint64_t* words() const noexcept { return &word_; }
    void release() noexcept { static_cast<void>(node_.release()); }
    [[nodiscard]] V& value() noexcept { return node_->value; }

   private:
    std::unique_ptr<ValueNode<V>> node_;
    std::uint64_t word_;
  };

  template <class Read>
  static bool access(const std::uint64_t* words, Read&& read) {
    read(std::as_const(value(words)));
    return true;
  }
  template <class Change>
  static Prepared changed(const std::uint64_t* words, Change&& change) {
    Prepared prepared(std::as_const(value(words)));
    change(prepared.value());
    return prepared;
  }
  // Copies: readers may still be looking at the node.
  static V extract(const std::uint64_t* words) { return std::as_const(value(words)); }

  // A share of the node.
  class Held {
   public:
    Held() = default;
    // REQUIRES: this thread protects the node.
    explicit Held(const std::uint64_t* words) noexcept : node_(node_at<ValueNode<V>>(*words)) {
      node_->acquire();
    }
    Held(const Held& other) noexcept : node_(other.node_) {
      if (node_ != nullptr) node_->acquire();
    }
    Held(Held&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    Held& operator=(Held other) noexcept {
      std::swap(node_, other.node_);
      return *this;
    }
    ~Held() {
      if (node_ != nullptr) node_->release();
    }
    [[nodiscard]] const V* get() const noexcept {
      return node_ != nullptr ? &node_->value : nullptr;
    }

   private:
    ValueNode<V>* node_ = nullptr;
  };

 private:
  static V& value(const std::uint64_t* words) noexcept {
    return node_at<ValueNode<V>>(*words)->value;
  }
};

template <class V>
struct ValueCodec<V, ValueKind::kLocked> {
  static_assert(std::is_nothrow_move_constructible_v<V>,
                "a Value that cannot be copied needs a move constructor that does not throw");
  static constexpr bool kHasNode = true;
  static constexpr std::uint32_t kWords = 1;

  class Prepared {
   public:
    template <class... Args>
    explicit Prepared(Args&&... args)
        : node_(std::make_unique<LockedNode<V>>(std::forward<Args>(args)...)),
          word_(node_word(node_.get())) {}
    [[nodiscard]] const std::uint64_t* words() const noexcept { return &word_; }
    void release() noexcept { static_cast<void>(node_.release()); }

   private:
    std::unique_ptr<LockedNode<V>> node_;
    std::uint64_t word_;
  };

  template <class Read>
  static bool access(const std::uint64_t* words, Read&& read) {
    LockedNode<V>& node = *node_at<LockedNode<V>>(*words);
    node.lock.lock_shared();
    const SharedUnlock unlock(node.lock);
    if (node.unlinked.load(std::memory_order_acquire)) return false;
    read(std::as_const(node.value));
    return true;
  }

 private:
  struct SharedUnlock {
    explicit SharedUnlock(NodeLock& l) noexcept : lock(l) {}
    ~SharedUnlock() { lock.unlock_shared(); }
    NodeLock& lock;
  };
};

}  // namespace vigil::maps::internal
