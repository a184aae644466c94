// SPDX-License-Identifier: Apache-2.0
//
// CacheCopy: rebuilds a cache from what its shards tell an observer, for tests. Every event must
// continue from where those before it left the shard; the first that does not is remembered.
//
// Thread safety: as a ShardObserver while the cache is written; the rest when it is quiet.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "vigil/base/hash.h"
#include "vigil/cache/cache.h"
#include "vigil/cache/shard_observer.h"

namespace vigil::cache {

class CacheCopy final : public ShardObserver {
 public:
  // REQUIRES: as Cache::add_observer().
  explicit CacheCopy(Cache& cache) : cache_(cache), shards_(cache.shard_count()) {
    cache.add_observer(*this);
  }

  void stored(const StoredEntry& entry) noexcept override {
    ShardCopy& shard = shards_[entry.shard];
    shard.note("stored", entry.key, entry.header);
    const Record* const old = shard.find(entry.key);
    shard.expect((entry.previous != nullptr) == (old != nullptr), "stored: wrong previous record");
    if (entry.previous != nullptr && old != nullptr) {
      shard.expect(*entry.previous == old->header, "stored: the previous header is another");
      shard.expect(!entry.header.hidden() || old->header.hidden(),
                   "stored: a visible entry was hidden without a removal");
    }
    if (!shard.tombstone_due.empty()) {
      shard.expect(entry.header.kind == Kind::kTombstone && entry.key == shard.tombstone_due,
                   "stored: a tombstone was announced");
    }
    shard.tombstone_due.clear();
    shard.expect(entry.header.value_size == entry.value.size(), "stored: the value is cut");
    shard.records[std::string(entry.key)] = {entry.header, std::string(entry.value)};
  }

  void removed(const RemovedEntry& entry) noexcept override {
    ShardCopy& shard = shards_[entry.shard];
    shard.note("removed", entry.key, entry.header);
    const Record* const old = shard.find(entry.key);
    shard.expect(old != nullptr && old->header == entry.header && old->value == entry.value,
                 "removed: not what was there");
    shard.expect(entry.cause != RemovalCause::kExpired || entry.header.expired(entry.now_ms),
                 "removed: expired before its deadline");
    shard.expect(shard.tombstone_due.empty(), "removed: a tombstone was announced");
    if (entry.leaves_tombstone) shard.tombstone_due = entry.key;
    shard.records.erase(std::string(entry.key));
  }

  void deadline_set(const MovedDeadline& entry) noexcept override {
    ShardCopy& shard = shards_[entry.shard];
    shard.note("deadline_set", entry.key, entry.header);
    Record* const old = shard.find(entry.key);
    shard.expect(old != nullptr && old->header.deadline_ms == entry.previous_deadline_ms,
                 "deadline_set: another deadline was there");
    shard.expect(shard.tombstone_due.empty(), "deadline_set: a tombstone was announced");
    if (old == nullptr) return;
    old->header.deadline_ms = entry.header.deadline_ms;
    shard.expect(old->header == entry.header, "deadline_set: more than the deadline changed");
  }

  void cleared(std::uint32_t shard, std::uint64_t /*version_floor*/) noexcept override {
    shards_[shard].note("cleared", {}, {});
    shards_[shard].expect(shards_[shard].tombstone_due.empty(),
                          "cleared: a tombstone was announced");
    shards_[shard].records.clear();
  }

  // The first contradiction among the events, or what differs from the cache; empty if nothing.
  [[nodiscard]] std::string difference() const {
    std::uint64_t records = 0;
    for (std::uint32_t number = 0; number < shards_.size(); ++number) {
      const ShardCopy& shard = shards_[number];
      if (!shard.problem.empty()) return shard.problem;
      records += shard.records.size();
      for (const auto& [key, record] : shard.records) {
        if (!is_in_cache(number, key, record)) return "the cache lacks, or has another, " + key;
      }
    }
    const CacheStats stats = cache_.stats();
    if (stats.entries + stats.tombstones == records) return {};
    return "the cache holds " + std::to_string(stats.entries + stats.tombstones) +
           " records, the copy " + std::to_string(records);
  }

  [[nodiscard]] std::uint64_t events() const {
    std::uint64_t total = 0;
    for (const ShardCopy& shard : shards_) total += shard.events;
    return total;
  }
  // Equal for two observers exactly if they were told the same of each shard in the same order.
  [[nodiscard]] std::vector<std::uint64_t> fingerprints() const {
    std::vector<std::uint64_t> all;
    for (const ShardCopy& shard : shards_) all.push_back(shard.fingerprint);
    return all;
  }

 private:
  struct Record {
    EntryHeader header;
    std::string value;
  };

  struct ShardCopy {
    std::unordered_map<std::string, Record> records;
    std::string tombstone_due;  // the key under which the next event must store one
    std::string problem;
    std::uint64_t events = 0;
    std::uint64_t fingerprint = 0;

    [[nodiscard]] Record* find(std::string_view key) {
      const auto found = records.find(std::string(key));
      return found == records.end() ? nullptr : &found->second;
    }
    void expect(bool holds, const char* what) {
      if (!holds && problem.empty()) problem = "event " + std::to_string(events) + ": " + what;
    }
    void note(std::string_view event, std::string_view key, const EntryHeader& header) {
      ++events;
      std::string line = std::to_string(fingerprint);
      line.append(event).append(key).append(std::to_string(header.version));
      line.append(1, ' ').append(std::to_string(header.deadline_ms));
      fingerprint = xxh3(line);
    }
  };

  [[nodiscard]] bool is_in_cache(std::uint32_t shard, const std::string& bytes,
                                 const Record& record) const {
    Key key = cache_.key(bytes);
    key.shard = shard;  // a sibling lies where its key alone would not lead
    EntryHeader header;
    std::string value;
    const bool found = cache_.read_record(key, [&](const EntryReader& entry) {
      header = entry.header();
      value.resize(entry.value_size());
      entry.copy_value(value.data());
      return true;
    });
    return found && header == record.header && value == record.value;
  }

  const Cache& cache_;
  std::vector<ShardCopy> shards_;
};

}  // namespace vigil::cache
