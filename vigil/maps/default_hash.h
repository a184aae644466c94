// SPDX-License-Identifier: Apache-2.0
//
// DefaultHash<Key>: the hash that the maps use unless told otherwise. Each map seeds its own from
// the operating system, so that a peer who chooses keys cannot make them collide by knowing the
// algorithm.
//
// Use when: keys are integers, enums, pointers, strings, or have a std::hash. Use instead: an own
// Hash type for other keys; one that spreads over all 64 bits says so with
// `using is_avalanching = void;` and is not mixed again.
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

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>

#include "vigil/base/hash.h"
#include "vigil/base/random.h"

namespace vigil {

template <class Key>
class DefaultHash {
  static_assert(std::is_integral_v<Key> || std::is_enum_v<Key> || std::is_pointer_v<Key> ||
                    std::is_invocable_r_v<std::size_t, std::hash<Key>, const Key&>,
                "a Key without std::hash needs a Hash of its own");

 public:
  using is_avalanching = void;

  DefaultHash() : DefaultHash(random_seed()) {}
  explicit DefaultHash(std::uint64_t seed) noexcept : seed_(seed) {}

  [[nodiscard]] std::uint64_t operator()(const Key& key) const noexcept(kIsNoexcept) {
    if constexpr (std::is_integral_v<Key> || std::is_enum_v<Key>) {
      return mix(static_cast<std::uint64_t>(key));
    } else if constexpr (std::is_pointer_v<Key>) {
      return mix(reinterpret_cast<std::uintptr_t>(key));
    } else {
      return mix(std::hash<Key>{}(key));
    }
  }

 private:
  static constexpr bool kIsNoexcept = std::is_integral_v<Key> || std::is_enum_v<Key> ||
                                      std::is_pointer_v<Key> ||
                                      std::is_nothrow_invocable_v<std::hash<Key>, const Key&>;

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
