// SPDX-License-Identifier: Apache-2.0
//
// DefaultHash<Key>: the hash that the maps use unless told otherwise. Each map seeds its own from
// the operating system, so that a peer who chooses keys cannot make them collide by knowing the
// algorithm.
//
// Use when: keys are integers of any width, enums, pointers, floating-point numbers, strings and
// string views of any character type (with std::char_traits), or std::array of integers or enums:
// what these hold goes into the seeded hash as a whole. Use instead: an own Hash type for other
// keys; one that spreads over all 64 bits says so with `using is_avalanching = void;` and is not
// mixed again.
//
// Keys that only have a std::hash are hashed by it, and then mixed with the seed: what std::hash
// maps to one value stays together. That of the standard library is not made to resist a peer
// (libstdc++ 12 and MurmurHash64A: colliding texts can be computed): give such keys, where peers
// choose them, a Hash of your own.
//
// A pointer is hashed as an address, never as what it points to.
//
// Values differ from map to map and from run to run: for routing by a stable hash see
// vigil/base/hash.h.
//
// Thread safety: immutable.
//
// Example:
//   const vigil::DefaultHash<std::string> hash(17);  // a seed, for a test
//   assert(hash("u:17") == vigil::DefaultHash<std::string>(17)("u:17"));
//   assert(hash("u:17") != vigil::DefaultHash<std::string>(18)("u:17"));
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>

#include "vigil/base/hash.h"
#include "vigil/base/random.h"

namespace vigil {

namespace maps::internal {

// How a key becomes a seeded hash.
enum class HashInput : std::uint8_t { kWord, kBytes, kText, kFloat, kStdHash, kNone };

template <class Key>
struct TextKey : std::false_type {};
template <class Char, class Allocator>
struct TextKey<std::basic_string<Char, std::char_traits<Char>, Allocator>> : std::true_type {};
template <class Char>
struct TextKey<std::basic_string_view<Char>> : std::true_type {};

template <class Key>
struct ArrayKey : std::false_type {};
template <class T, std::size_t kSize>
struct ArrayKey<std::array<T, kSize>>
    : std::bool_constant<(std::is_integral_v<T> || std::is_enum_v<T>)&&(kSize > 0)> {};

// Without GNU extensions std::is_integral does not know 128-bit integers.
__extension__ using SignedWide = __int128;
__extension__ using UnsignedWide = unsigned __int128;
template <class Key>
inline constexpr bool kIsInteger =
    std::is_integral_v<Key> || std::is_same_v<Key, SignedWide> || std::is_same_v<Key, UnsignedWide>;

template <class Key>
[[nodiscard]] consteval HashInput hash_input() {
  if (kIsInteger<Key> || std::is_enum_v<Key>) {
    return sizeof(Key) <= 8 ? HashInput::kWord : HashInput::kBytes;
  }
  if (std::is_pointer_v<Key> || std::is_null_pointer_v<Key>) return HashInput::kWord;
  if (std::is_floating_point_v<Key>) return HashInput::kFloat;
  if (TextKey<Key>::value) return HashInput::kText;
  if (ArrayKey<Key>::value) return HashInput::kBytes;
  return std::is_invocable_r_v<std::size_t, std::hash<Key>, const Key&> ? HashInput::kStdHash
                                                                        : HashInput::kNone;
}

}  // namespace maps::internal

template <class Key>
class DefaultHash {
  using Input = maps::internal::HashInput;
  static constexpr Input kInput = maps::internal::hash_input<Key>();
  static_assert(kInput != Input::kNone, "a Key without std::hash needs a Hash of its own");

 public:
  using is_avalanching = void;

  DefaultHash() : DefaultHash(random_seed()) {}
  explicit DefaultHash(std::uint64_t seed) noexcept : seed_(seed) {}

  [[nodiscard]] std::uint64_t operator()(const Key& key) const noexcept(kIsNoexcept) {
    if constexpr (kInput == Input::kWord) {
      return mix(word(key));
    } else if constexpr (kInput == Input::kText) {
      return bytes_hash(key.data(), key.size() * sizeof(typename Key::value_type));
    } else if constexpr (kInput == Input::kBytes) {
      return bytes_hash(&key, sizeof(Key));
    } else if constexpr (kInput == Input::kFloat) {
      return float_hash(key);
    } else {
      return mix(std::hash<Key>{}(key));
    }
  }

 private:
  static constexpr bool kIsNoexcept =
      kInput != Input::kStdHash || std::is_nothrow_invocable_v<std::hash<Key>, const Key&>;

  static std::uint64_t word(const Key& key) noexcept {
    if constexpr (std::is_pointer_v<Key>) {
      return reinterpret_cast<std::uintptr_t>(key);
    } else if constexpr (std::is_null_pointer_v<Key>) {
      return 0;
    } else {
      return static_cast<std::uint64_t>(key);
    }
  }
  [[nodiscard]] std::uint64_t bytes_hash(const void* bytes, std::size_t size) const noexcept {
    return seeded_hash(std::string_view(static_cast<const char*>(bytes), size), seed_);
  }
  [[nodiscard]] std::uint64_t float_hash(Key key) const noexcept {
    const Key one_zero = key == Key{0} ? Key{0} : key;  // the two zeros are equal
    if constexpr (sizeof(Key) == 4) {
      return mix(std::bit_cast<std::uint32_t>(one_zero));
    } else if constexpr (sizeof(Key) == 8) {
      return mix(std::bit_cast<std::uint64_t>(one_zero));
    } else {
      constexpr std::size_t kBytes = 10;  // of the extended format; the others are padding
      return bytes_hash(&one_zero, kBytes);
    }
  }

  // A 64 x 64 -> 128 bit multiplication with its halves folded together (wyhash, Wang Yi).
  [[nodiscard]] std::uint64_t mix(std::uint64_t x) const noexcept {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(x ^ seed_) * 0x9E3779B97F4A7C15ULL;
    const std::uint64_t folded =
        static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    return folded * 0xD6E8FEB86659FD93ULL ^ folded >> 32;
  }

  std::uint64_t seed_;
};

template <>
class DefaultHash<std::string> {
 public:
  using is_avalanching = void;

  DefaultHash() : DefaultHash(random_seed()) {}
  explicit DefaultHash(std::uint64_t seed) noexcept : seed_(seed) {}

  [[nodiscard]] std::uint64_t operator()(std::string_view key) const noexcept {
    return seeded_hash(key, seed_);
  }

 private:
  std::uint64_t seed_;
};

}  // namespace vigil
