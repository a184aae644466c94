// SPDX-License-Identifier: Apache-2.0
//
// Contender: a map as the benchmarks see it. The loop over operations is compiled together with the
// map (ContenderOf), so that one virtual call covers a whole run.
//
// A map joins through an adapter with two members:
//
//   bool read(const Key& key, BenchValue& value);           // copies the value; false if absent
//   void write(const Key& key, const BenchValue& value);    // adds or replaces
//
// and, where threads must register, a type ThreadScope whose objects live as long as the thread's
// run. VigilMap adapts every map that speaks the vocabulary of vigil/maps. Where writing one by one
// would take too long, a third member fill(keys, entries) writes the first `entries` keys at once.
//
// Thread safety: read, write and run from any thread, unless the role is kLimit.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "vigil/tools/bench/maps/workload.h"

namespace vigil::tools {

enum class Role : std::uint8_t {
  kVigil,
  kVigilOneThread,  // vigil's map for one thread: compared with nobody
  kConcurrentMap,   // a package's own concurrent map
  kLockedMap,       // a package's plain map behind locks
  kLimit,           // a plain map without a lock: one thread only, and no peer
};

// What one thread does: the operations from `start` on.
template <class Key>
struct Lane {
  const KeyStream<Key>* keys;
  const OperationStream* operations;
  std::uint64_t start;
};

template <class Key>
class Contender {
 public:
  Contender() = default;
  Contender(const Contender&) = delete;
  Contender& operator=(const Contender&) = delete;
  virtual ~Contender() = default;

  virtual bool read(const Key& key, BenchValue& value) = 0;
  virtual void write(const Key& key, const BenchValue& value) = 0;
  // Writes the first `entries` keys.
  virtual void fill(const KeySet<Key>& keys, std::uint64_t entries) = 0;
  // Runs operations until `stop`, some at least; returns how many.
  virtual std::uint64_t run(const Lane<Key>& lane, const std::atomic<bool>& stop) = 0;
};

struct NoThreadScope {};

template <class Map>
struct ThreadScopeOf {
  using Type = NoThreadScope;
};
template <class Map>
requires requires { typename Map::ThreadScope; }
struct ThreadScopeOf<Map> {
  using Type = typename Map::ThreadScope;
};

// Where results go that nobody needs, so that the compiler keeps what made them.
inline std::atomic<std::uint64_t> discarded_results{0};

template <class Map, class Key>
class ContenderOf final : public Contender<Key> {
 public:
  bool read(const Key& key, BenchValue& value) override {
    [[maybe_unused]] const Scope scope{};
    return map_.read(key, value);
  }
  void write(const Key& key, const BenchValue& value) override {
    [[maybe_unused]] const Scope scope{};
    map_.write(key, value);
  }

  void fill(const KeySet<Key>& keys, std::uint64_t entries) override {
    [[maybe_unused]] const Scope scope{};
    if constexpr (requires { map_.fill(keys, entries); }) {
      map_.fill(keys, entries);
    } else {
      for (std::uint64_t n = 0; n < entries; ++n) map_.write(keys.key(n), BenchValue{n, n});
    }
  }

  std::uint64_t run(const Lane<Key>& lane, const std::atomic<bool>& stop) override {
    constexpr std::uint64_t kBatch = 256;  // between two looks at `stop`
    [[maybe_unused]] const Scope scope{};
    // By value: what the loop itself loads would wait for the locked instructions of the maps.
    const KeyStream<Key> keys = *lane.keys;
    const OperationStream operations = *lane.operations;
    std::uint64_t checksum = 0;
    std::uint64_t position = lane.start;
    do {
      for (const std::uint64_t end = position + kBatch; position != end; ++position) {
        const Key& key = keys.at(position);
        if (operations.reads(position)) [[likely]] {
          BenchValue value;
          if (map_.read(key, value)) checksum += value.state ^ value.updated;
        } else {
          map_.write(key, BenchValue{position, position});
        }
      }
    } while (!stop.load(std::memory_order_relaxed));
    discarded_results.fetch_add(checksum, std::memory_order_relaxed);
    return position - lane.start;
  }

 private:
  using Scope = typename ThreadScopeOf<Map>::Type;

  Map map_;
};

template <class Map, class Key>
class VigilMap {
 public:
  bool read(const Key& key, BenchValue& value) {
    const std::optional<BenchValue> found = map_.get(key);
    if (found) value = *found;
    return found.has_value();
  }
  void write(const Key& key, const BenchValue& value) { map_.insert_or_assign(key, value); }

 protected:
  [[nodiscard]] Map& map() { return map_; }

 private:
  Map map_;
};

}  // namespace vigil::tools
