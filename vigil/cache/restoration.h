// SPDX-License-Identifier: Apache-2.0
//
// Restoration: fills a cache with what a log or a snapshot kept, event by event as a ShardObserver
// was told them.
//
// Use when: a server starts. The observers that are registered already are told nothing while a
// Restoration lives: what they would hear is old. A log adds itself afterwards.
//
// Every event is safe to repeat: a log may be replayed over a snapshot that has some of its changes
// already, and the end is the same. Records keep their shard, their versions and their absolute
// deadlines. One that expired meanwhile is restored like any other and collected, with all that
// belongs to it, once the cache is in use.
//
// Thread safety: events of different shards may come from different threads, those of one shard one
// at a time. Nobody else writes to the cache; readers are welcome.
//
//   {
//     Restoration restoration(cache, now_ms);
//     restoration.stored(shard, key, value, header);
//   }
//   cache.add_observer(log);
#pragma once

#include <cstdint>
#include <string_view>

#include "vigil/cache/cache.h"

namespace vigil::cache {

class Restoration {
 public:
  // `now_ms` is when the deadlines are looked at next.
  Restoration(Cache& cache, std::int64_t now_ms);
  ~Restoration();
  Restoration(const Restoration&) = delete;
  Restoration& operator=(const Restoration&) = delete;

  // Hide most cache misses of an event under the same key that follows some events later: first the
  // index, then the entry.
  void prefetch_index(std::uint32_t shard, std::string_view key) const;
  void prefetch_entry(std::uint32_t shard, std::string_view key) const;

  // Of the header the kind, the version and the deadline count.
  [[nodiscard]] AssignStatus stored(std::uint32_t shard, std::string_view key,
                                    std::string_view value, const EntryHeader& header);
  // Nothing happens where there is no record: a later event removed it.
  void deadline_set(std::uint32_t shard, std::string_view key, std::int64_t deadline_ms);
  void removed(std::uint32_t shard, std::string_view key, std::uint64_t version);
  void cleared(std::uint32_t shard, std::uint64_t version_floor);
  // Versions of keys that are not in the shard will start above `version`.
  void raise_version_floor(std::uint32_t shard, std::uint64_t version);

 private:
  template <class Change>
  void with_record(std::uint32_t shard, std::string_view key, Change&& change);

  Cache& cache_;
  const std::int64_t now_ms_;
  ShardObservers silenced_;
};

}  // namespace vigil::cache
