// SPDX-License-Identifier: Apache-2.0
//
// abseil's flat_hash_map behind the locks that people put around it.

// The package's headers do not compile under this project's warnings.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <absl/container/flat_hash_map.h>
#pragma GCC diagnostic pop

#include <array>
#include <mutex>
#include <shared_mutex>

#include "vigil/base/spin_lock.h"
#include "vigil/tools/bench/maps/registry.h"

namespace vigil::tools {
namespace {

template <class Key>
using FlatMap = absl::flat_hash_map<Key, BenchValue>;

template <class Key>
bool copy_value(const FlatMap<Key>& map, const Key& key, BenchValue& value) {
  const auto found = map.find(key);
  if (found == map.end()) return false;
  value = found->second;
  return true;
}

template <class Key, class Lock, class ReadGuard>
class Locked {
 public:
  bool read(const Key& key, BenchValue& value) {
    const ReadGuard guard(lock_);
    return copy_value(map_, key, value);
  }
  void write(const Key& key, const BenchValue& value) {
    const std::lock_guard guard(lock_);
    map_.insert_or_assign(key, value);
  }

 private:
  Lock lock_;
  FlatMap<Key> map_;
};

template <class Key>
class SpinShards {
 public:
  bool read(const Key& key, BenchValue& value) {
    Shard& shard = shard_of(key);
    const std::lock_guard guard(shard.lock);
    return copy_value(shard.map, key, value);
  }
  void write(const Key& key, const BenchValue& value) {
    Shard& shard = shard_of(key);
    const std::lock_guard guard(shard.lock);
    shard.map.insert_or_assign(key, value);
  }

 private:
  struct alignas(64) Shard {
    SpinLock lock;
    FlatMap<Key> map;
  };
  Shard& shard_of(const Key& key) { return shards_[absl::Hash<Key>{}(key) >> 58]; }

  std::array<Shard, 64> shards_;
};

template <class Key>
using MutexMap = Locked<Key, std::mutex, std::lock_guard<std::mutex>>;
template <class Key>
using SharedMutexMap = Locked<Key, std::shared_mutex, std::shared_lock<std::shared_mutex>>;

}  // namespace

void add_abseil_maps(Registry& registry) {
  add_map<SpinShards>(registry, "absl 64 spin", Role::kLockedMap);
  add_map<SharedMutexMap>(registry, "absl shared_mutex", Role::kLockedMap);
  add_map<MutexMap>(registry, "absl mutex", Role::kLockedMap);
}

}  // namespace vigil::tools
