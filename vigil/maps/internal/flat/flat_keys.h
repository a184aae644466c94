// SPDX-License-Identifier: Apache-2.0
//
// FlatKeys: how the keys of a FlatTable are stored, hashed and compared.
//
//   std::string keys   24 bytes: up to 23 bytes of text in place (InlineString), longer ones as
//                      | pointer | size | mark |; looked up by std::string_view
//   other keys         as they are; looked up by const Key&
//
// A Stored key is moved by copying its bytes or by its move constructor; it is destroyed by
// destroy(), never by itself.
//
// Thread safety: immutable after construction. Hash and Equal may throw; Hash is called again when
// a table grows.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "vigil/maps/internal/key_codec.h"

namespace vigil::maps::internal {

template <class Key, class Hash, class Equal, class Allocator>
class FlatKeys {
 public:
  using Lookup = const Key&;
  using Stored = Key;
  static_assert(std::is_nothrow_move_constructible_v<Key>,
                "a Key needs a move constructor that does not throw");

  FlatKeys(Hash hash, Equal equal) : hash_(std::move(hash)), equal_(std::move(equal)) {}

  class Probe {
   public:
    Probe(const FlatKeys& keys, Lookup key) : keys_(keys), key_(key), hash_(keys.hash(key)) {}

    [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
    [[nodiscard]] bool matches(const Stored& stored) const { return keys_.equal_(stored, key_); }
    [[nodiscard]] bool same_key(const Probe& other) const { return keys_.equal_(key_, other.key_); }
    void store(Stored* place, Allocator&) const { std::construct_at(place, key_); }

   private:
    const FlatKeys& keys_;
    Lookup key_;
    std::uint64_t hash_;
  };

  [[nodiscard]] std::uint64_t stored_hash(const Stored& stored) const
      noexcept(std::is_nothrow_invocable_v<const Hash&, Lookup>) {
    return hash(stored);
  }
  [[nodiscard]] static Lookup view(const Stored& stored) noexcept { return stored; }
  static void copy(Stored* place, const Stored& from, Allocator&) {
    std::construct_at(place, from);
  }
  static void destroy(Stored& stored, Allocator&) noexcept { std::destroy_at(&stored); }

 private:
  [[nodiscard]] std::uint64_t hash(Lookup key) const
      noexcept(std::is_nothrow_invocable_v<const Hash&, Lookup>) {
    return finished_hash<Hash>(hash_(key));
  }

  [[no_unique_address]] Hash hash_;
  [[no_unique_address]] Equal equal_;
};

// 24 bytes of text or a pointer to it; owns nothing by itself.
struct FlatString {
  std::array<std::uint64_t, InlineString::kWords> words{};

  [[nodiscard]] bool is_long() const noexcept { return InlineString::is_long(words.data()); }
  [[nodiscard]] char* text() const noexcept { return reinterpret_cast<char*>(words[0]); }
  [[nodiscard]] std::string_view view() const noexcept {
    return is_long() ? std::string_view(text(), words[1]) : InlineString::decode(words.data());
  }
};

template <class Hash, class Equal, class Allocator>
class FlatKeys<std::string, Hash, Equal, Allocator> {
  using Bytes =
      std::allocator_traits<typename std::allocator_traits<Allocator>::template rebind_alloc<char>>;

 public:
  static_assert(std::invocable<const Hash&, std::string_view>,
                "a Hash for std::string keys must accept std::string_view "
                "(std::hash<std::string_view>, not std::hash<std::string>)");
  using Lookup = std::string_view;
  using Stored = FlatString;
  static constexpr bool kByBytes = kEqualByBytes<std::string, Equal>;

  FlatKeys(Hash hash, Equal equal) : hash_(std::move(hash)), equal_(std::move(equal)) {}

  class Probe {
   public:
    Probe(const FlatKeys& keys, Lookup key) : keys_(keys), key_(key), hash_(keys.hash(key)) {
      if (!is_long()) words_ = InlineString::encode(key);
    }

    [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
    [[nodiscard]] bool matches(const Stored& stored) const {
      if constexpr (!kByBytes) {
        return keys_.equal_(stored.view(), key_);
      } else if (is_long()) {
        return stored.view() == key_;
      } else {
        return ((stored.words[0] ^ words_[0]) | (stored.words[1] ^ words_[1]) |
                (stored.words[2] ^ words_[2])) == 0;
      }
    }
    [[nodiscard]] bool same_key(const Probe& other) const {
      if constexpr (kByBytes) {
        return key_ == other.key_;
      } else {
        return keys_.equal_(key_, other.key_);
      }
    }
    void store(Stored* place, Allocator& allocator) const {
      std::construct_at(place, is_long() ? long_string(key_, allocator) : FlatString{words_});
    }

   private:
    [[nodiscard]] bool is_long() const noexcept { return key_.size() > InlineString::kBytesMax; }

    const FlatKeys& keys_;
    Lookup key_;
    std::uint64_t hash_;
    std::array<std::uint64_t, InlineString::kWords> words_{};
  };

  [[nodiscard]] std::uint64_t stored_hash(const Stored& stored) const
      noexcept(std::is_nothrow_invocable_v<const Hash&, Lookup>) {
    return hash(stored.view());
  }
  [[nodiscard]] static Lookup view(const Stored& stored) noexcept { return stored.view(); }
  static void copy(Stored* place, const Stored& from, Allocator& allocator) {
    std::construct_at(place, from.is_long() ? long_string(from.view(), allocator) : from);
  }
  static void destroy(Stored& stored, Allocator& allocator) noexcept {
    if (!stored.is_long()) return;
    typename Bytes::allocator_type bytes(allocator);
    Bytes::deallocate(bytes, stored.text(), stored.words[1]);
  }

 private:
  [[nodiscard]] std::uint64_t hash(Lookup key) const
      noexcept(std::is_nothrow_invocable_v<const Hash&, Lookup>) {
    return finished_hash<Hash>(hash_(key));
  }
  static FlatString long_string(std::string_view text, Allocator& allocator) {
    typename Bytes::allocator_type bytes(allocator);
    char* copied = Bytes::allocate(bytes, text.size());
    std::memcpy(copied, text.data(), text.size());
    return FlatString{
        {reinterpret_cast<std::uintptr_t>(copied), text.size(), InlineString::kLongMark}};
  }

  [[no_unique_address]] Hash hash_;
  [[no_unique_address]] Equal equal_;
};

}  // namespace vigil::maps::internal
