// SPDX-License-Identifier: Apache-2.0
//
// Workload: what the threads of one benchmark cell do, made before the clock starts.
//
//   Workload workload{.read_percent = 95, .distribution = Distribution::kZipf};
//   KeyStream<std::uint64_t> stream(KeySet<std::uint64_t>(8), workload.distribution, 65'536);
//
// Threads walk one stream of existing keys from different places, so that a lookup's own cache
// misses are measured and not those of making keys. A write replaces the value of an existing key.
//
// Thread safety: immutable after construction.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "vigil/base/random.h"

namespace vigil::tools {

struct BenchValue {
  std::uint64_t state = 0;
  std::uint64_t updated = 0;
};

enum class Distribution : std::uint8_t { kUniform, kZipf };  // kZipf: exponent 0.99

[[nodiscard]] std::string_view name_of(Distribution distribution);

// Draws `count` numbers below `entries`.
[[nodiscard]] std::vector<std::uint32_t> draw_keys(Distribution distribution, std::uint64_t entries,
                                                   std::size_t count);

// The n-th key of a benchmark: a scattered number, or an order id of `bytes` characters.
template <class Key>
class KeySet {
 public:
  explicit KeySet(std::size_t bytes) : bytes_(bytes) {}

  [[nodiscard]] Key key(std::uint64_t n) const {
    if constexpr (std::is_integral_v<Key>) {
      return n * 0x9E3779B97F4A7C15ULL;
    } else {
      const std::string digits = std::to_string(n);
      std::string key = bytes_ >= digits.size() + 6 ? "order-" : "";
      if (key.size() + digits.size() < bytes_) key.append(bytes_ - key.size() - digits.size(), '0');
      return key + digits;
    }
  }
  [[nodiscard]] std::string name() const {
    return std::is_integral_v<Key> ? "u64" : "string" + std::to_string(bytes_);
  }

 private:
  std::size_t bytes_;
};

// Cheap to copy.
template <class Key>
class KeyStream {
 public:
  static constexpr std::size_t kSize = std::size_t{1} << 18;

  KeyStream(const KeySet<Key>& keys, Distribution distribution, std::uint64_t entries) {
    auto drawn = std::make_shared<std::vector<Key>>();
    drawn->reserve(kSize);
    for (const std::uint32_t n : draw_keys(distribution, entries, kSize)) {
      drawn->push_back(keys.key(n));
    }
    keys_ = std::shared_ptr<const Key[]>(drawn, drawn->data());
  }
  [[nodiscard]] const Key& at(std::uint64_t position) const { return keys_[position % kSize]; }

 private:
  std::shared_ptr<const Key[]> keys_;
};

// Which operations are reads, in a fixed random order. Cheap to copy.
class OperationStream {
 public:
  static constexpr std::size_t kSize = 8192;

  explicit OperationStream(std::uint32_t read_percent) {
    Random random(read_percent);
    const auto drawn = std::make_shared<std::array<bool, kSize>>();
    for (bool& read : *drawn) read = random.below(100) < read_percent;
    reads_ = std::shared_ptr<const bool[]>(drawn, drawn->data());
  }
  [[nodiscard]] bool reads(std::uint64_t position) const { return reads_[position % kSize]; }

 private:
  std::shared_ptr<const bool[]> reads_;
};

}  // namespace vigil::tools
