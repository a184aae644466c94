// SPDX-License-Identifier: Apache-2.0
//
// The member functions of ShardedMap. Every write has the same shape: probe (hash the key) and
// prepare (copy, allocate) without a lock; lock the shard (Writer); find; change; and, once the
// lock is gone, destroy a few nodes that earlier writes unlinked.
//
// Lock order: a shard's lock, then SegmentMemory's. No operation holds two shards.
#pragma once

#include <algorithm>
#include <limits>

#include "vigil/maps/sharded_map.h"

namespace vigil {

// The holder of one shard's lock.
template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
class ShardedMap<Key, Value, Hash, Equal, kTraits>::Writer {
 public:
  Writer(const ShardedMap& map, Shard& shard) noexcept VIGIL_NO_THREAD_SAFETY_ANALYSIS
      : map_(map),
        shard_(shard),
        held_(&map) {
    shard_.lock().lock();
  }
  Writer(const ShardedMap& map, const Probe& probe) noexcept
      : Writer(map, map.shard_of(probe.hash())) {}

  ~Writer() VIGIL_NO_THREAD_SAFETY_ANALYSIS {
    garbage_ = shard_.take_garbage();
    const bool advance = shard_.take_advance_due();
    shard_.lock().unlock();
    if (advance) maps::internal::EpochDomain::process().try_advance();
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  [[nodiscard]] Shard& shard() const noexcept { return shard_; }

  // The entry of the key. One that has expired is removed and counts as absent.
  [[nodiscard]] std::optional<Place> find(const Probe& probe) {
    const std::optional<Place> place = shard_.find(probe);
    if (!place || !map_.expired(shard_.words(*place))) return place;
    erase(*place);
    shard_.count_expired();
    return std::nullopt;
  }

  // REQUIRES: the key is absent.
  void insert(const Probe& probe, typename Keys::Prepared& key, PreparedValue& value,
              std::int64_t deadline_ms) {
    Words words;
    std::copy_n(key.words.data(), Layout::kKeyWords, words.data());
    set_value(words, deadline_ms, value);
    shard_.insert(probe.hash(), words);
    key.release();
    value.release();
  }

  void replace(const Place& place, PreparedValue& value, std::int64_t deadline_ms) {
    const Words old = shard_.words(place);
    Words words = old;
    set_value(words, deadline_ms, value);
    shard_.replace(place, words);
    value.release();
    shard_.retire(value_node(old));
  }
  // Keeps the deadline.
  void replace(const Place& place, PreparedValue& value) {
    const Words old = shard_.words(place);
    shard_.replace_value(place, value.words());
    value.release();
    shard_.retire(value_node(old));
  }

  void erase(const Place& place) noexcept {
    const Words old = shard_.words(place);
    shard_.erase(place);
    retire(old);
  }
  void retire(const Words& unlinked) noexcept {
    shard_.retire(value_node(unlinked));
    shard_.retire(Keys::node(unlinked.data()));
  }

  // Removes the entries whose slots were copied into `doomed`; they must still be there.
  void erase_all(const std::vector<Words>& doomed) {
    for (const Words& words : doomed) {
      map_.keys_.with_key(words.data(),
                          [&](const auto& key) { erase(*shard_.find(Probe(map_.keys_, key))); });
    }
  }

 private:
  const ShardedMap& map_;
  Shard& shard_;
  maps::internal::Garbage garbage_;  // destroyed last, when the map may be used again
  maps::internal::HeldMap held_;
};

// --- Construction ----------------------------------------------------------------------------

namespace maps::internal {

[[nodiscard]] inline std::uint32_t checked_shards(std::uint32_t shards) {
  VIGIL_CHECK(std::has_single_bit(shards) && shards <= 4096,
              "ShardedMapOptions::shards must be a power of two, at most 4096");
  return shards;
}
// Three more levels than evenly spread hashes need. Deeper than 24, directory and tag would share
// bits of the hash.
[[nodiscard]] inline std::uint32_t depth_limit(const ShardedMapOptions& options) {
  const std::uint64_t segments = options.max_entries / options.shards / 72 + 1;
  return std::min(24U, static_cast<std::uint32_t>(std::bit_width(segments)) + 3);
}
// Twice the entries, because a segment that has just split is less than half full, and a few
// chunks for each shard.
[[nodiscard]] inline std::uint64_t slots_for(const ShardedMapOptions& options) {
  constexpr std::uint64_t kChunkSlots = SegmentMemory::kChunkGroups * kSlotsPerGroup;
  return 2 * options.max_entries + 4 * kChunkSlots * options.shards;
}

}  // namespace maps::internal

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
ShardedMap<Key, Value, Hash, Equal, kTraits>::ShardedMap(const ShardedMapOptions& options,
                                                         Hash hash, Equal equal)
    : keys_(std::move(hash), std::move(equal)),
      shard_mask_(maps::internal::checked_shards(options.shards) - 1),
      clock_(options.clock),
      segment_memory_(maps::internal::slots_for(options),
                      Layout::kSlotWords * sizeof(std::uint64_t)),
      directory_memory_(std::uint64_t{options.shards}
                        << (maps::internal::depth_limit(options) + 1)),
      shards_(new Shard[options.shards]) {
  for (std::uint32_t i = 0; i < options.shards; ++i) {
    shards_[i].start(i, keys_, segment_memory_, directory_memory_,
                     maps::internal::depth_limit(options));
  }
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
ShardedMap<Key, Value, Hash, Equal, kTraits>::~ShardedMap() {
  if constexpr (Keys::kHasNode || Values::kHasNode) {
    for (std::uint32_t i = 0; i <= shard_mask_; ++i) {
      for (std::uint64_t position = 0; position != Shard::kEnd;) {
        position = shards_[i].clear_segment_at(position, [](const Words& words) {
          delete value_node(words);
          delete Keys::node(words.data());
        });
      }
    }
  }
}

// --- Reads -----------------------------------------------------------------------------------

// The clock is compared on both sides of the reading of the slot. One reading after it proves that
// an entry was alive, but not that it had expired: the entry may have been refreshed before the
// clock passed its old deadline, and then the key was never absent.
template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::read_live(const Probe& probe,
                                                             Words& words) const {
  const Shard& shard = shard_of(probe.hash());
  if constexpr (!Layout::kHasDeadline) return shard.read(probe, words);
  std::int64_t before = std::numeric_limits<std::int64_t>::min();
  while (shard.read(probe, words)) {
    if (words[Layout::kDeadlineAt] == kNoDeadline) [[likely]]
      return true;
    const std::int64_t now = now_ms();
    if (!expired_at(words, now)) return true;
    if (expired_at(words, before)) return false;
    before = now;
  }
  return false;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class Visitor>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::visit(lookup_type key, Visitor&& visitor) const {
  const Probe probe(keys_, key);
  const maps::internal::EpochGuard guard(Values::kHasNode || probe.needs_guard());
  const VisitMark mark(this);
  Words words;
  while (read_live(probe, words)) {
    if (Values::access(value_words(words), visitor)) return true;
    // The value was moved out by a writer that is about to unlink the entry: look again.
    __builtin_ia32_pause();
  }
  return false;
}

// --- Writes ----------------------------------------------------------------------------------

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class V>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::insert(lookup_type key, V&& value,
                                                          std::int64_t deadline_ms) {
  const Probe probe(keys_, key);
  if constexpr (Values::kHasNode) {
    if (contains(probe)) return false;  // without allocating, and leaves `value` alone
  }
  typename Keys::Prepared prepared_key = probe.prepare();
  PreparedValue prepared_value(std::forward<V>(value));
  Writer writer(*this, probe);
  if (writer.find(probe)) return false;
  writer.insert(probe, prepared_key, prepared_value, deadline_ms);
  return true;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class V>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::insert_or_assign(lookup_type key, V&& value,
                                                                    std::int64_t deadline_ms) {
  const Probe probe(keys_, key);
  typename Keys::Prepared prepared_key = probe.prepare();
  PreparedValue prepared_value(std::forward<V>(value));
  Writer writer(*this, probe);
  if (const std::optional<Place> place = writer.find(probe)) {
    writer.replace(*place, prepared_value, deadline_ms);
    return false;
  }
  writer.insert(probe, prepared_key, prepared_value, deadline_ms);
  return true;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
auto ShardedMap<Key, Value, Hash, Equal, kTraits>::get_or_insert(lookup_type key,
                                                                 const Value& value,
                                                                 std::int64_t deadline_ms)
    -> GetOrInsertResult {
  static_assert(kCopyable && kReturnable, "get_or_insert returns a copy of the value");
  if (std::optional<Value> found = get(key)) return {std::move(*found), false};
  const Probe probe(keys_, key);
  typename Keys::Prepared prepared_key = probe.prepare();
  PreparedValue prepared_value(value);
  GetOrInsertResult result{value, true};  // copied before anything changes
  Writer writer(*this, probe);
  if (const std::optional<Place> place = writer.find(probe)) {
    return {Values::extract(value_words(writer.shard().words(*place))), false};
  }
  writer.insert(probe, prepared_key, prepared_value, deadline_ms);
  return result;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class V>
std::optional<Value> ShardedMap<Key, Value, Hash, Equal, kTraits>::exchange(
    lookup_type key, V&& value, std::int64_t deadline_ms) {
  static_assert(kReturnable, "exchange returns a value after it has changed the map");
  const Probe probe(keys_, key);
  typename Keys::Prepared prepared_key = probe.prepare();
  PreparedValue prepared_value(std::forward<V>(value));
  Writer writer(*this, probe);
  const std::optional<Place> place = writer.find(probe);
  if (!place) {
    writer.insert(probe, prepared_key, prepared_value, deadline_ms);
    return std::nullopt;
  }
  std::optional<Value> old(Values::extract(value_words(writer.shard().words(*place))));
  writer.replace(*place, prepared_value, deadline_ms);
  return old;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class V>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::compare_exchange(lookup_type key,
                                                                    const Value& expected,
                                                                    V&& desired) {
  const Probe probe(keys_, key);
  PreparedValue prepared_value(std::forward<V>(desired));
  Writer writer(*this, probe);
  const std::optional<Place> place = writer.find(probe);
  if (!place) return false;
  bool equal = false;
  Values::access(value_words(writer.shard().words(*place)),
                 [&](const Value& value) { equal = value == expected; });
  if (equal) writer.replace(*place, prepared_value);
  return equal;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class Change>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::update(lookup_type key, Change&& change) {
  const Probe probe(keys_, key);
  Writer writer(*this, probe);
  const std::optional<Place> place = writer.find(probe);
  if (!place) return false;
  const Words words = writer.shard().words(*place);
  if constexpr (kLocked) {
    Values::change_in_place(value_words(words), change);
  } else {
    PreparedValue changed = Values::changed(value_words(words), change);
    writer.replace(*place, changed);
  }
  return true;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::erase(lookup_type key) {
  const Probe probe(keys_, key);
  Writer writer(*this, probe);
  const std::optional<Place> place = writer.find(probe);
  if (place) writer.erase(*place);
  return place.has_value();
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
std::optional<Value> ShardedMap<Key, Value, Hash, Equal, kTraits>::take(lookup_type key) {
  static_assert(kReturnable, "take returns a value after it has changed the map");
  const Probe probe(keys_, key);
  Writer writer(*this, probe);
  const std::optional<Place> place = writer.find(probe);
  if (!place) return std::nullopt;
  std::optional<Value> taken(Values::extract(value_words(writer.shard().words(*place))));
  writer.erase(*place);
  return taken;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class Predicate>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::erase_if(lookup_type key,
                                                            Predicate&& predicate) {
  const Probe probe(keys_, key);
  Writer writer(*this, probe);
  const std::optional<Place> place = writer.find(probe);
  if (!place) return false;
  bool matches = false;
  Values::access(value_words(writer.shard().words(*place)),
                 [&](const Value& value) { matches = predicate(value); });
  if (matches) writer.erase(*place);
  return matches;
}

// --- Bulk ------------------------------------------------------------------------------------

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class Visitor>
void ShardedMap<Key, Value, Hash, Equal, kTraits>::for_each(Visitor&& visitor) const {
  std::vector<Words> entries = segment_buffer();
  for (std::uint32_t i = 0; i <= shard_mask_; ++i) {
    for (std::uint64_t position = 0; position != Shard::kEnd;) {
      const maps::internal::EpochGuard guard(Keys::kHasNode || Values::kHasNode);
      entries.clear();
      {
        Writer writer(*this, shards_[i]);
        position = shards_[i].for_segment_at(
            position, [&](const Place& place) { entries.push_back(shards_[i].words(place)); });
      }
      const VisitMark mark(this);
      for (const Words& words : entries) {
        if (expired(words)) continue;
        keys_.with_key(words.data(), [&](lookup_type key) {
          Values::access(value_words(words), [&](const Value& value) { visitor(key, value); });
        });
      }
    }
  }
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class Predicate>
std::uint64_t ShardedMap<Key, Value, Hash, Equal, kTraits>::erase_if(Predicate&& predicate) {
  std::uint64_t erased = 0;
  std::vector<Words> doomed = segment_buffer();
  for (std::uint32_t i = 0; i <= shard_mask_; ++i) {
    for (std::uint64_t position = 0; position != Shard::kEnd;) {
      doomed.clear();
      Writer writer(*this, shards_[i]);
      position = shards_[i].for_segment_at(position, [&](const Place& place) {
        const Words words = shards_[i].words(place);
        if (expired(words)) return;
        bool matches = false;
        keys_.with_key(words.data(), [&](lookup_type key) {
          Values::access(value_words(words),
                         [&](const Value& value) { matches = predicate(key, value); });
        });
        if (matches) doomed.push_back(words);
      });
      writer.erase_all(doomed);
      erased += doomed.size();
    }
  }
  return erased;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
void ShardedMap<Key, Value, Hash, Equal, kTraits>::clear() {
  for (std::uint32_t i = 0; i <= shard_mask_; ++i) {
    for (std::uint64_t position = 0; position != Shard::kEnd;) {
      Writer writer(*this, shards_[i]);
      position = shards_[i].clear_segment_at(
          position, [&writer](const Words& words) { writer.retire(words); });
    }
  }
  destroy_retired();
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
auto ShardedMap<Key, Value, Hash, Equal, kTraits>::sweep(std::int64_t now_ms, std::uint64_t budget)
    -> SweepResult {
  SweepResult result;
  if (!sweep_lock_.try_lock()) return result;
  std::vector<Words> doomed = segment_buffer();
  for (std::uint64_t seen = 0; seen < budget && !result.wrapped;) {
    Shard& shard = shards_[sweep_shard_];
    if (shard.counters().with_deadline.get() != 0) {
      doomed.clear();
      Writer writer(*this, shard);
      sweep_position_ = shard.for_segment_at(sweep_position_, [&](const Place& place) {
        const Words words = shard.words(place);
        ++seen;
        if (expired_at(words, now_ms)) doomed.push_back(words);
      });
      writer.erase_all(doomed);
      for (std::size_t n = doomed.size(); n != 0; --n) shard.count_expired();
      result.expired += doomed.size();
    } else {
      sweep_position_ = Shard::kEnd;
    }
    ++seen;  // so that empty segments and shards use up the budget as well
    if (sweep_position_ == Shard::kEnd) {
      sweep_position_ = 0;
      sweep_shard_ = (sweep_shard_ + 1) & shard_mask_;
      result.wrapped = sweep_shard_ == 0;
    }
  }
  sweep_lock_.unlock();
  if (result.wrapped) destroy_retired();
  return result;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
void ShardedMap<Key, Value, Hash, Equal, kTraits>::destroy_retired() {
  if (sum([](const maps::internal::ShardCounters& c) { return c.limbo.get(); }) == 0) return;
  maps::internal::EpochDomain& domain = maps::internal::EpochDomain::process();
  domain.try_advance();
  domain.try_advance();
  for (std::uint32_t i = 0; i <= shard_mask_; ++i) {
    maps::internal::Garbage garbage;  // destroyed after the lock was released
    Writer writer(*this, shards_[i]);
    garbage = shards_[i].take_all_garbage();
  }
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
void ShardedMap<Key, Value, Hash, Equal, kTraits>::reserve(std::uint64_t entries) {
  const std::uint64_t per_shard = entries / shard_count() + 1;
  for (std::uint32_t i = 0; i <= shard_mask_; ++i) {
    for (std::uint64_t position = 0; position != Shard::kEnd;) {
      Writer writer(*this, shards_[i]);
      position = shards_[i].reserve_at(position, per_shard);
    }
  }
}

// --- Statistics and debugging ----------------------------------------------------------------

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
ShardedMapStats ShardedMap<Key, Value, Hash, Equal, kTraits>::stats() const noexcept {
  using maps::internal::ShardCounters;
  ShardedMapStats stats;
  stats.entries = size();
  stats.with_deadline = sum([](const ShardCounters& c) { return c.with_deadline.get(); });
  stats.expired_total = sum([](const ShardCounters& c) { return c.expired.get(); });
  stats.slots =
      sum([](const ShardCounters& c) { return c.groups.get(); }) * maps::internal::kSlotsPerGroup;
  stats.segments = sum([](const ShardCounters& c) { return c.segments.get(); });
  stats.resizes_total = sum([](const ShardCounters& c) { return c.resizes.get(); });
  stats.splits_total = sum([](const ShardCounters& c) { return c.splits.get(); });
  stats.merges_total = sum([](const ShardCounters& c) { return c.merges.get(); });
  stats.retired_nodes = sum([](const ShardCounters& c) { return c.limbo.get(); });
  stats.table_bytes = segment_memory_.bytes_in_use();
  stats.directory_bytes = directory_memory_.bytes_in_use();
  return stats;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
void ShardedMap<Key, Value, Hash, Equal, kTraits>::check_invariants() const {
  for (std::uint32_t i = 0; i <= shard_mask_; ++i) {
    const Shard& shard = shards_[i];
    Writer writer(*this, shards_[i]);
    std::uint64_t entries = 0;
    std::uint64_t with_deadline = 0;
    std::uint64_t segments = 0;
    for (std::uint64_t position = 0; position != Shard::kEnd; ++segments) {
      position = shard.check_segment_at(position, entries, with_deadline);
    }
    VIGIL_CHECK(entries == shard.counters().entries.get(), "the entry counter is wrong");
    VIGIL_CHECK(with_deadline == shard.counters().with_deadline.get(),
                "the counter of entries with a deadline is wrong");
    VIGIL_CHECK(segments == shard.allocated_segments(), "a segment is allocated but unreachable");
  }
}

}  // namespace vigil
