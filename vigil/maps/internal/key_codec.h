// SPDX-License-Identifier: Apache-2.0
//
// KeyCodec: how a key becomes the key words of a slot, and how a looked-up key is compared with
// them. Four formats, chosen from Key and Equal:
//
//   integers, enums, plain structs up to 24 bytes: the bytes
//   std::string up to 23 bytes:  | bytes, padded with zeros ................ | size in byte 23 |
//   longer std::string:          | KeyNode pointer | hash | 0xFF in byte 23                   |
//   everything else:             | KeyNode pointer | hash |
//
// Comparing has two steps. may_match() compares words and can run on words that a writer is
// changing. Where it does not settle the matter (a node has to be followed, or a user's Equal
// called), needs_confirm() is true, and confirm() runs on a copy of the words that was found
// consistent, with the entry's nodes protected if needs_guard().
//
// Lookup is what the map's members take: std::string_view for std::string keys, else const Key&.
//
// Thread safety: immutable after construction. Hash and Equal may throw.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "vigil/maps/internal/group.h"
#include "vigil/maps/internal/node.h"
#include "vigil/maps/internal/value_codec.h"

namespace vigil::maps::internal {

enum class KeyKind : std::uint8_t { kInline, kString, kNode };

template <class Key>
[[nodiscard]] consteval KeyKind key_kind() {
  if (std::is_same_v<Key, std::string>) return KeyKind::kString;
  return std::is_trivially_copyable_v<Key> && sizeof(Key) <= 24 && alignof(Key) <= 16
             ? KeyKind::kInline
             : KeyKind::kNode;
}

// Whether equal keys are those with equal bytes.
template <class Key, class Equal>
inline constexpr bool kEqualByBytes =
    (std::is_same_v<Equal, std::equal_to<Key>> ||
     std::is_same_v<Equal, std::equal_to<>>)&&(std::is_same_v<Key, std::string> ||
                                               std::is_integral_v<Key> || std::is_enum_v<Key> ||
                                               std::is_pointer_v<Key>);

// Spreads a hash that may be as weak as the identity over all 64 bits (a 64 x 64 -> 128 multiply,
// halves folded, as in wyhash, Wang Yi), unless it says `using is_avalanching = void`.
template <class Hash>
[[nodiscard]] constexpr std::uint64_t finished_hash(std::uint64_t hash) noexcept {
  if constexpr (requires { typename Hash::is_avalanching; }) {
    return hash;
  } else {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(hash ^ 0x9E3779B97F4A7C15ULL) * 0xD6E8FEB86659FD93ULL;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }
}

// The key words of an entry about to be inserted; owns the node, if there is one, until release().
template <std::uint32_t kWords, class StoredKey>
struct PreparedKey {
  std::array<std::uint64_t, kWords> words{};
  std::unique_ptr<KeyNode<StoredKey>> node;
  void release() noexcept { static_cast<void>(node.release()); }
};

template <class Key, class Hash, class Equal, KeyKind kKind = key_kind<Key>()>
class KeyCodec;

template <class Key, class Hash, class Equal>
class KeyCodec<Key, Hash, Equal, KeyKind::kInline> {
 public:
  using Lookup = const Key&;
  static constexpr std::uint32_t kWords = (sizeof(Key) + 7) / 8;
  static constexpr bool kHasNode = false;
  struct Prepared {
    std::array<std::uint64_t, kWords> words{};
    void release() noexcept {}
  };

  KeyCodec(Hash hash, Equal equal) : hash_(std::move(hash)), equal_(std::move(equal)) {}

  class Probe {
   public:
    Probe(const KeyCodec& codec, Lookup key)
        : codec_(codec), key_(key), hash_(codec.hash(key)), words_(to_words(key)) {}

    [[nodiscard]] Lookup key() const noexcept { return key_; }
    [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
    [[nodiscard]] static constexpr bool needs_confirm() { return !kEqualByBytes<Key, Equal>; }
    // A key that is not compared by its bytes may be a view into its value.
    [[nodiscard]] static constexpr bool needs_guard() { return needs_confirm(); }
    [[nodiscard]] bool may_match(const Word* slot) const noexcept {
      if constexpr (needs_confirm()) return true;
      std::uint64_t difference = 0;
#pragma GCC unroll 8
      for (std::uint32_t i = 0; i < kWords; ++i) {
        difference |= slot[i].load(std::memory_order_acquire) ^ words_[i];
      }
      return difference == 0;
    }
    [[nodiscard]] bool confirm(const std::uint64_t* words) const {
      return codec_.equal_(object_from<Key>(words), key_);
    }
    [[nodiscard]] bool same_key(const Probe& other) const {
      if constexpr (needs_confirm()) return codec_.equal_(key_, other.key_);
      return words_ == other.words_;
    }
    [[nodiscard]] Prepared prepare() const { return {words_}; }

   private:
    const KeyCodec& codec_;
    Lookup key_;
    std::uint64_t hash_;
    std::array<std::uint64_t, kWords> words_;
  };

  [[nodiscard]] std::uint64_t hash(Lookup key) const { return finished_hash<Hash>(hash_(key)); }
  [[nodiscard]] std::uint64_t stored_hash(const std::uint64_t* words) const {
    return hash(object_from<Key>(words));
  }
  template <class Read>
  decltype(auto) with_key(const std::uint64_t* words, Read&& read) const {
    const Key key = object_from<Key>(words);
    return read(key);
  }
  static Node* node(const std::uint64_t*) noexcept { return nullptr; }

 private:
  static std::array<std::uint64_t, kWords> to_words(const Key& key) noexcept {
    std::array<std::uint64_t, kWords> words{};
    std::memcpy(words.data(), &key, sizeof(Key));
    return words;
  }

  [[no_unique_address]] Hash hash_;
  [[no_unique_address]] Equal equal_;
};

// The bytes of a short string in three words. Avoids memcpy of a variable size: the library call
// costs as much as the rest of a lookup.
struct InlineString {
  static constexpr std::uint32_t kWords = 3;
  static constexpr std::size_t kBytesMax = 23;
  static constexpr std::uint32_t kSizeShift = 56;
  static constexpr std::uint64_t kLongMark = std::uint64_t{0xFF} << kSizeShift;

  static std::array<std::uint64_t, kWords> encode(std::string_view bytes) noexcept {
    const char* p = bytes.data();
    const std::size_t n = bytes.size();
    std::array<std::uint64_t, kWords> words{};
    if (n <= 8) {
      words[0] = up_to_8(p, n);
    } else {
      words[0] = exactly<std::uint64_t>(p);
      if (n <= 16) {
        words[1] = up_to_8(p + 8, n - 8);
      } else {
        words[1] = exactly<std::uint64_t>(p + 8);
        words[2] = up_to_8(p + 16, n - 16);
      }
    }
    words[2] |= std::uint64_t{n} << kSizeShift;
    return words;
  }
  static bool is_long(const std::uint64_t* words) noexcept {
    return words[2] >> kSizeShift == kLongMark >> kSizeShift;
  }
  static std::string_view decode(const std::uint64_t* words) noexcept {
    return {reinterpret_cast<const char*>(words), words[2] >> kSizeShift};
  }

 private:
  template <class T>
  static std::uint64_t exactly(const char* p) noexcept {
    T value;
    std::memcpy(&value, p, sizeof(T));
    return value;
  }
  static std::uint64_t up_to_8(const char* p, std::size_t n) noexcept {
    if (n >= 4) {
      return exactly<std::uint32_t>(p) | exactly<std::uint32_t>(p + n - 4) << 8 * (n - 4);
    }
    if (n == 0) return 0;
    return exactly<std::uint8_t>(p) | exactly<std::uint8_t>(p + n / 2) << 8 * (n / 2) |
           exactly<std::uint8_t>(p + n - 1) << 8 * (n - 1);
  }
};

template <class Hash, class Equal>
class KeyCodec<std::string, Hash, Equal, KeyKind::kString> {
 public:
  static_assert(std::invocable<const Hash&, std::string_view>,
                "a Hash for std::string keys must accept std::string_view "
                "(std::hash<std::string_view>, not std::hash<std::string>)");
  using Lookup = std::string_view;
  static constexpr std::uint32_t kWords = InlineString::kWords;
  static constexpr bool kHasNode = true;
  static constexpr bool kByBytes = kEqualByBytes<std::string, Equal>;
  using Prepared = PreparedKey<kWords, std::string>;

  KeyCodec(Hash hash, Equal equal) : hash_(std::move(hash)), equal_(std::move(equal)) {}

  class Probe {
   public:
    Probe(const KeyCodec& codec, Lookup key)
        : codec_(codec), key_(key), hash_(codec.hash(key)), words_{} {
      words_ = is_long() ? std::array<std::uint64_t, kWords>{0, hash_, InlineString::kLongMark}
                         : InlineString::encode(key);
    }

    [[nodiscard]] Lookup key() const noexcept { return key_; }
    [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
    [[nodiscard]] bool needs_confirm() const noexcept { return !kByBytes || is_long(); }
    // With a user's Equal a short key may equal a stored long one.
    [[nodiscard]] bool needs_guard() const noexcept { return needs_confirm(); }
    [[nodiscard]] bool may_match(const Word* slot) const noexcept {
      if constexpr (!kByBytes) return true;
      std::uint64_t difference = (slot[1].load(std::memory_order_acquire) ^ words_[1]) |
                                 (slot[2].load(std::memory_order_acquire) ^ words_[2]);
      if (!is_long()) difference |= slot[0].load(std::memory_order_acquire) ^ words_[0];
      return difference == 0;
    }
    [[nodiscard]] bool confirm(const std::uint64_t* words) const {
      return codec_.equal(view(words), key_);
    }
    [[nodiscard]] bool same_key(const Probe& other) const { return codec_.equal(key_, other.key_); }
    [[nodiscard]] Prepared prepare() const {
      Prepared prepared{words_, nullptr};
      if (is_long()) {
        prepared.node = std::make_unique<KeyNode<std::string>>(std::string(key_), hash_);
        prepared.words[0] = node_word(prepared.node.get());
      }
      return prepared;
    }

   private:
    [[nodiscard]] bool is_long() const noexcept { return key_.size() > InlineString::kBytesMax; }

    const KeyCodec& codec_;
    Lookup key_;
    std::uint64_t hash_;
    std::array<std::uint64_t, kWords> words_;
  };

  [[nodiscard]] std::uint64_t hash(Lookup key) const { return finished_hash<Hash>(hash_(key)); }
  [[nodiscard]] std::uint64_t stored_hash(const std::uint64_t* words) const {
    return InlineString::is_long(words) ? words[1] : hash(InlineString::decode(words));
  }
  template <class Read>
  decltype(auto) with_key(const std::uint64_t* words, Read&& read) const {
    return read(view(words));
  }
  static Node* node(const std::uint64_t* words) noexcept {
    return InlineString::is_long(words) ? node_at<KeyNode<std::string>>(words[0]) : nullptr;
  }

 private:
  static std::string_view view(const std::uint64_t* words) noexcept {
    return InlineString::is_long(words)
               ? std::string_view(node_at<KeyNode<std::string>>(words[0])->key)
               : InlineString::decode(words);
  }
  bool equal(std::string_view a, std::string_view b) const {
    if constexpr (kByBytes) {
      return a == b;
    } else {
      return equal_(a, b);
    }
  }

  [[no_unique_address]] Hash hash_;
  [[no_unique_address]] Equal equal_;
};

template <class Key, class Hash, class Equal>
class KeyCodec<Key, Hash, Equal, KeyKind::kNode> {
 public:
  using Lookup = const Key&;
  static constexpr std::uint32_t kWords = 2;
  static constexpr bool kHasNode = true;
  using Prepared = PreparedKey<kWords, Key>;

  KeyCodec(Hash hash, Equal equal) : hash_(std::move(hash)), equal_(std::move(equal)) {}

  class Probe {
   public:
    Probe(const KeyCodec& codec, Lookup key) : codec_(codec), key_(key), hash_(codec.hash(key)) {}

    [[nodiscard]] Lookup key() const noexcept { return key_; }
    [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
    [[nodiscard]] static constexpr bool needs_confirm() { return true; }
    [[nodiscard]] static constexpr bool needs_guard() { return true; }
    [[nodiscard]] bool may_match(const Word* slot) const noexcept {
      return slot[1].load(std::memory_order_acquire) == hash_;
    }
    [[nodiscard]] bool confirm(const std::uint64_t* words) const {
      return codec_.equal_(node_at<KeyNode<Key>>(words[0])->key, key_);
    }
    [[nodiscard]] bool same_key(const Probe& other) const {
      return codec_.equal_(key_, other.key_);
    }
    [[nodiscard]] Prepared prepare() const {
      Prepared prepared;
      prepared.node = std::make_unique<KeyNode<Key>>(key_, hash_);
      prepared.words = {node_word(prepared.node.get()), hash_};
      return prepared;
    }

   private:
    const KeyCodec& codec_;
    Lookup key_;
    std::uint64_t hash_;
  };

  [[nodiscard]] std::uint64_t hash(Lookup key) const { return finished_hash<Hash>(hash_(key)); }
  [[nodiscard]] std::uint64_t stored_hash(const std::uint64_t* words) const noexcept {
    return words[1];
  }
  template <class Read>
  decltype(auto) with_key(const std::uint64_t* words, Read&& read) const {
    return read(node_at<KeyNode<Key>>(words[0])->key);
  }
  static Node* node(const std::uint64_t* words) noexcept { return node_at<KeyNode<Key>>(words[0]); }

 private:
  [[no_unique_address]] Hash hash_;
  [[no_unique_address]] Equal equal_;
};

}  // namespace vigil::maps::internal
