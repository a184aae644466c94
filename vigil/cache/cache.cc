// SPDX-License-Identifier: Apache-2.0
#include "vigil/cache/cache.h"

#include <algorithm>
#include <bit>
#include <new>

#include "vigil/base/check.h"

namespace vigil::cache {
namespace {

constexpr std::uint32_t kShardsMax = 4096;

// Shards share slabs, so that what a size class costs does not grow with their number; not one for
// all, so that writers seldom wait for each other (slab.h).
constexpr std::uint32_t kSlabsMax = 16;

// A scan stops after this many buckets per wanted entry, so that one call stays short in a table
// that is nearly empty.
constexpr std::size_t kBucketsPerWanted = 10;
constexpr std::size_t kLeastBuckets = 4096;

constexpr int kRandomTries = 64;

// The ticks between two cascades of a wheel's second level: what the shards' phases are spread
// over.
constexpr std::uint32_t kCascadeTicks = 1U << 16;

// A cursor is shard:12 | bucket:6 | position:32 from high to low; 0 is both start and end.
struct Cursor {
  std::uint32_t shard = 0;
  Index::ScanPoint point;

  static constexpr std::uint32_t kPositionBits = 32;
  static constexpr std::uint32_t kShardShift = kPositionBits + kHomeBits;

  static Cursor decode(std::uint64_t bits) {
    return {static_cast<std::uint32_t>(bits >> kShardShift),
            {static_cast<std::uint32_t>(bits >> kPositionBits) % kSegmentBuckets,
             static_cast<std::uint32_t>(bits), false}};
  }
  [[nodiscard]] std::uint64_t encode() const {
    return std::uint64_t{shard} << kShardShift | std::uint64_t{point.bucket} << kPositionBits |
           point.position;
  }
};

// A shard that is left by an exception as well: whoever waits for it would wait for ever.
struct LeaveAtEnd {
  Shard& shard;
  ~LeaveAtEnd() { shard.leave(); }
};

}  // namespace

void Cache::DestroyShards::operator()(Shard* shards) const {
  std::destroy_n(shards, count);
  ::operator delete (shards, std::align_val_t{alignof(Shard)});
}

Cache::Cache(const CacheOptions& options)
    : options_(options),
      shard_mask_(options.shards - 1),
      seed_(random_seed()),
      budget_(options.memory_limit_bytes),
      arena_(budget_),
      segments_(budget_),
      shards_(nullptr, DestroyShards{0}) {
  VIGIL_CHECK(std::has_single_bit(options.shards) && options.shards <= kShardsMax,
              "the number of shards must be a power of two, at most 4096");
  set_eviction_policy(options.eviction);
  for (std::uint32_t i = 0; i < std::min(options.shards, kSlabsMax); ++i) {
    slabs_.push_back(std::make_unique<Slab>(arena_));
  }
  neighbours_.resize(slabs_.size());
  // Unowned memory until every shard is constructed; constructing one does not throw.
  auto* shards = static_cast<Shard*>(
      ::operator new (sizeof(Shard) * options.shards, std::align_val_t{alignof(Shard)}));
  for (std::uint32_t i = 0; i < options.shards; ++i) {
    const std::uint32_t phase = i * (kCascadeTicks / options.shards);
    const std::size_t shared = i % slabs_.size();
    new (shards + i) Shard({budget_, arena_, segments_, *slabs_[shared]},
                           {i, options.write_queue_capacity, phase, seed_, &tombstone_retention_ms_,
                            &observers_, &eviction_, &neighbours_[shared], &label_});
    neighbours_[shared].push_back(shards + i);
  }
  shards_ = {shards, DestroyShards{options.shards}};
}

Cache::~Cache() = default;

void Cache::add_observer(ShardObserver& observer, ObservedEvents events) {
  observers_.of_removals.push_back(&observer);
  if (events == ObservedEvents::kAll) observers_.of_all.push_back(&observer);
}

void Cache::set_tombstone_retention(Kind kind, std::int64_t retention_ms) {
  VIGIL_CHECK(kind <= Kind::kOrder && retention_ms >= 0,
              "only visible entries leave tombstones, for a time that is not negative");
  tombstone_retention_ms_[static_cast<std::size_t>(kind)] = retention_ms;
}

// --- Writes ------------------------------------------------------------------------------------

std::vector<std::uint32_t> Cache::shards_of(std::span<const Key> keys) const {
  std::vector<std::uint32_t> shards;
  for (const Key& key : keys) shards.push_back(key.shard);
  std::sort(shards.begin(), shards.end());
  shards.erase(std::unique(shards.begin(), shards.end()), shards.end());
  return shards;
}

void Cache::write_many(std::span<const Key> keys, std::int64_t now_ms, const ManyChange& change) {
  struct Held {
    Shard* all;
    std::vector<std::uint32_t> shards;
    std::size_t entered = 0;

    void enter() {
      for (; entered < shards.size(); ++entered) all[shards[entered]].enter();
    }
    ~Held() {
      while (entered > 0) all[shards[--entered]].leave();
    }
  } held{shards_.get(), shards_of(keys)};
  if (held.shards.empty()) return;
  shards_.get()->refuse_reentry();
  held.enter();
  Slots slots(*this, keys, now_ms);
  const ChangeGroup group(observers_);
  change(slots);
}

Slot& Cache::Slots::operator()(std::size_t i) {
  const Key& key = keys_[i];
  return slot_.emplace(cache_.shards_.get()[key.shard], key.hash, key.bytes, now_ms_);
}

void Cache::clear() {
  shards_.get()->refuse_reentry();
  for (std::uint32_t i = 0; i < options_.shards; ++i) {
    Shard& shard = shards_.get()[i];
    shard.enter();
    const LeaveAtEnd leave{shard};
    shard.clear();
  }
}

// --- Expiry ------------------------------------------------------------------------------------

// Takes turns between the shards that are due, a slice of the budget each, so that none starves.
Cache::ExpiryProgress Cache::collect_expired(std::uint32_t first, std::uint32_t stride,
                                             std::int64_t now_ms, std::size_t budget) {
  constexpr std::size_t kSlice = 64;
  ExpiryProgress progress;
  bool worked = true;
  while (worked && budget > 0) {
    worked = false;
    progress.more = false;
    for (std::uint32_t i = first; i < options_.shards; i += stride) {
      Shard& shard = shards_.get()[i];
      if (shard.next_expiry_ms() > now_ms) continue;
      progress.more = true;
      if (budget == 0 || !shard.try_enter()) continue;
      std::size_t slice = std::min(kSlice, budget);
      budget -= slice;
      bool more = false;
      {
        const LeaveAtEnd leave{shard};
        progress.expired += shard.collect_expired(now_ms, &slice, &more);
      }
      budget += slice;
      worked = true;
    }
  }
  return progress;
}

std::int64_t Cache::next_expiry_ms(std::uint32_t first, std::uint32_t stride) const {
  if (first >= options_.shards) return TimingWheel::kNever;
  // Every reactor asks before every sleep: counted beforehand, so that the loop can be unrolled.
  std::uint32_t left = (options_.shards - first - 1) / stride + 1;
  const Shard* shard = shards_.get() + first;
  std::int64_t next = shard->next_expiry_ms();
#pragma GCC unroll 8
  while (--left != 0) {
    shard += stride;
    next = std::min(next, shard->next_expiry_ms());
  }
  return next;
}

// --- Bulk --------------------------------------------------------------------------------------

std::uint64_t Cache::scan(std::uint64_t cursor, std::int64_t now_ms, std::size_t count,
                          const ScanVisitor& visit) const {
  Cursor at = Cursor::decode(cursor);
  const std::size_t bucket_limit = std::max(count * kBucketsPerWanted, kLeastBuckets);
  std::vector<Index::KeyCopy> entries;
  std::size_t visited = 0;
  for (std::size_t buckets = 0; at.shard < options_.shards;) {
    if (buckets >= bucket_limit) return at.encode();
    const Shard& shard = shards_.get()[at.shard];
    if (shard.counters().visible.load(std::memory_order_relaxed) == 0) {
      at = {at.shard + 1, {}};
      continue;
    }
    entries.clear();
    const Index::ScanPoint next = shard.index().scan(at.point, &entries);
    ++buckets;
    std::erase_if(entries, [&](const auto& entry) { return !entry.header.visible(now_ms); });
    // Enough was visited, and here is more: what is empty up to there belongs to this step.
    if (visited >= count && !entries.empty()) return at.encode();
    for (const Index::KeyCopy& entry : entries) visit({entry.key, entry.header});
    visited += entries.size();
    at = next.end ? Cursor{at.shard + 1, {}} : Cursor{at.shard, next};
  }
  return 0;
}

bool Cache::random_key(std::int64_t now_ms, Random& random, std::string* key) const {
  std::vector<Index::KeyCopy> entries;
  for (int i = 0; i < kRandomTries; ++i) {
    const auto shard = static_cast<std::uint32_t>(random.below(options_.shards));
    const Index::ScanPoint point{static_cast<std::uint32_t>(random.below(kSegmentBuckets)),
                                 static_cast<std::uint32_t>(random()), false};
    entries.clear();
    shards_.get()[shard].index().scan(point, &entries);
    std::erase_if(entries, [&](const auto& entry) { return !entry.header.visible(now_ms); });
    if (entries.empty()) continue;
    *key = std::move(entries[random.below(entries.size())].key);
    return true;
  }
  // Nearly empty: take the first key there is.
  bool found = false;
  std::uint64_t cursor = 0;
  do {
    cursor = scan(cursor, now_ms, 1, [&](const ScannedEntry& entry) {
      if (!found) *key = entry.key;
      found = true;
    });
  } while (!found && cursor != 0);
  return found;
}

// A shard's cursor is bucket:6 | position:32.
std::uint64_t Cache::scan_records(std::uint32_t shard, std::uint64_t cursor,
                                  const RecordVisitor& visit) const {
  const Index& index = shards_.get()[shard].index();
  std::vector<Index::KeyCopy> entries;
  Cursor at = Cursor::decode(cursor);
  at.point = index.scan(at.point, &entries);
  std::string value;
  for (const Index::KeyCopy& entry : entries) {
    EntryHeader header;
    const bool found =
        index.read(seeded_hash(entry.key, seed_), entry.key, [&](const EntryReader& reader) {
          header = reader.header();
          value.resize(reader.value_size());
          reader.copy_value(value.data());
          return true;
        });
    if (found) visit({entry.key, value, header});
  }
  return at.point.end ? 0 : at.encode();
}

std::uint64_t Cache::version_floor(std::uint32_t shard) {
  Shard& of = shards_.get()[shard];
  of.enter();
  const LeaveAtEnd leave{of};
  return of.version_floor();
}

// --- Statistics and debugging --------------------------------------------------------------------

std::uint64_t Cache::size() const {
  std::uint64_t total = 0;
  for (std::uint32_t i = 0; i < options_.shards; ++i) {
    total += shards_.get()[i].counters().visible.load(std::memory_order_relaxed);
  }
  return total;
}

CacheStats Cache::stats() const {
  CacheStats stats;
  for (std::uint32_t i = 0; i < options_.shards; ++i) {
    const Shard& shard = shards_.get()[i];
    const Shard::Counters& counters = shard.counters();
    stats.entries += counters.visible.load(std::memory_order_relaxed);
    stats.tombstones += counters.hidden.load(std::memory_order_relaxed);
    stats.with_deadline += counters.with_deadline.load(std::memory_order_relaxed);
    stats.expired_total += counters.expired.load(std::memory_order_relaxed);
    stats.evicted_total += counters.evicted.load(std::memory_order_relaxed);
    stats.busy_total += counters.busy.load(std::memory_order_relaxed);
    stats.handed_over_total += counters.handed_over.load(std::memory_order_relaxed);
    stats.entry_bytes += counters.entry_bytes.load(std::memory_order_relaxed);
    stats.index_bytes += shard.index().slots() / kBucketSlots * sizeof(Bucket);
  }
  stats.memory_limit_bytes = budget_.limit();
  stats.resident_bytes = budget_.used();
  return stats;
}

ShardStats Cache::shard_stats(std::uint32_t shard) const {
  const Shard& of = shards_.get()[shard];
  ShardStats stats;
  stats.entries = of.counters().visible.load(std::memory_order_relaxed);
  const std::uint64_t slots = of.index().slots();
  if (slots != 0) {
    stats.load_factor = static_cast<double>(of.index().size()) / static_cast<double>(slots);
  }
  stats.queue_depth = of.queue_depth();
  return stats;
}

void Cache::check_invariants() const {
  for (std::uint32_t i = 0; i < options_.shards; ++i) shards_.get()[i].check_invariants();
  for (const auto& slab : slabs_) slab->check_invariants();
  arena_.check_invariants();
}

}  // namespace vigil::cache
