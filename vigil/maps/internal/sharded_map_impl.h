// SPDX-License-Identifier: Apache-2.0
//
// The member functions of ShardedMap: the last part of sharded_map.h, which includes it after the
// class. No other file does, and it cannot be compiled by itself. Every write has the same shape:
// probe (hash the key) and prepare (copy, allocate) without a lock; lock the shard (Writer); find;
// change; and, once the lock is gone, reclaim if enough nodes were unlinked (reclaimer.h). Only
// insert_or_assign replaces most values without the lock (group.h); what depends on a value and
// then changes it therefore holds it still between the two (Writer::hold).
//
// Lock order: a shard's lock (shard.h), then those of segment.h and directory.h.
//
// Thread safety: as sharded_map.h says.
#pragma once

#include <algorithm>
#include <limits>
#include <mutex>
#include <stdexcept>

#include "vigil/base/exceptions.h"
#include "vigil/maps/internal/parts.h"
#include "vigil/maps/internal/visitor.h"

namespace vigil {

// The holder of the lock of one shard, that of `hash`.
template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
class ShardedMap<Key, Value, Hash, Equal, kTraits>::Writer {
  static constexpr bool kFreezes = !Values::kHasNode;

 public:
  [[gnu::always_inline]] Writer(ShardedMap& map, std::uint64_t hash,
                                Op operation) noexcept VIGIL_NO_THREAD_SAFETY_ANALYSIS
      : Writer(map, hash, operation, nullptr) {}
  // A due reclamation is left to `later`, who has a lock that the end of a value might want.
  [[gnu::always_inline]] Writer(ShardedMap& map, std::uint64_t hash, Op operation,
                                Reclaiming* later) noexcept VIGIL_NO_THREAD_SAFETY_ANALYSIS
      : map_(map),
        reclaiming_(map),
        later_(later),
        held_(map.label_, operation),
        shard_(map.shards_.lock(hash)) {}
  [[gnu::always_inline]] ~Writer() VIGIL_NO_THREAD_SAFETY_ANALYSIS {
    let_go();
    if constexpr (kHasNode) {
      (kLocked && later_ != nullptr ? *later_ : reclaiming_).due = shard_.count_write();
    }
    shard_.lock().unlock();
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  [[nodiscard]] Shard& shard() const noexcept { return shard_; }

  // The entry of the key. One that has expired is removed and counts as absent.
  [[nodiscard, gnu::always_inline]] inline Place find(const Probe& probe) {
    const Place place = map_.table_.find(probe);
    if constexpr (Layout::kHasDeadline) {
      if (place.found() && map_.table_.word(place, Layout::kDeadlineAt) != 0) [[unlikely]] {
        if (map_.erase_expired(shard_, place)) return Place{};
      }
    }
    return place;
  }
  // find(), and no other thread changes the value until let_go(), erase() or the writer's end.
  [[nodiscard]] Place hold(const Probe& probe) { return hold(find(probe)); }
  Place hold(const Place& place) noexcept {
    if constexpr (kFreezes) {
      if (place.found()) map_.table_.freeze(place);
      frozen_ = place;
    }
    return place;
  }
  void let_go() noexcept {
    if constexpr (kFreezes) {
      if (frozen_.found()) map_.table_.thaw(std::exchange(frozen_, Place{}));
    }
  }
  [[nodiscard]] Words words(const Place& place) const noexcept { return map_.table_.words(place); }

  // REQUIRES: the key is absent.
  [[gnu::always_inline]] void insert(const Probe& probe, typename Keys::Prepared& key,
                                     PreparedValue& value, Deadline deadline) {
    Words words;
    std::copy_n(key.words.data(), Layout::kKeyWords, words.data());
    set_value(words, deadline, value);
    map_.table_.insert(shard_, probe.hash(), words);
    key.release();
    value.release();
  }

  [[gnu::always_inline]] void replace(const Place& place, PreparedValue& value, Deadline deadline) {
    Node* const old = old_node(place);
    Words changed;
    set_value(changed, deadline, value);
    map_.table_.replace(shard_, place, changed);
    value.release();
    if (old != nullptr) retire_value(shard_, old);
  }
  // Keeps the deadline.
  void replace(const Place& place, PreparedValue& value) {
    Node* const old = old_node(place);
    map_.table_.replace_value(place, value.words());
    value.release();
    if (old != nullptr) retire_value(shard_, old);
  }

  void erase(const Place& place) noexcept {
    map_.erase_at(shard_, place);
    if constexpr (kFreezes) frozen_ = Place{};
  }
  void retire(const Words& unlinked) noexcept { retire_nodes(shard_, unlinked); }

  // Removes the entries of one segment that were seen since this writer began; of those whose value
  // changed since, only the ones for which still(const Words&). Returns how many. By their places,
  // not by their keys: a key need not equal itself.
  template <class Still>
  std::uint64_t erase_all(const std::vector<Seen>& doomed, Still&& still) {
    std::uint64_t erased = 0;
    for (const Seen& seen : doomed) {
      hold(seen.place);
      const Words now = words(seen.place);
      if (now == seen.words || still(now)) {
        map_.table_.erase_and_keep_size(shard_, seen.place);
        if constexpr (kFreezes) frozen_ = Place{};
        retire(now);
        ++erased;
      } else {
        let_go();
      }
    }
    if (erased != 0) map_.table_.shrink(shard_, doomed.front().place.hash);
    return erased;
  }

 private:
  Node* old_node(const Place& place) const noexcept {
    if constexpr (!Values::kHasNode) return nullptr;
    return maps::internal::node_at<Node>(map_.table_.word(place, Layout::kValueAt));
  }

  struct NothingToReclaim {
    explicit NothingToReclaim(ShardedMap&) noexcept {}
  };

  ShardedMap& map_;
  // Destroyed last, when the map may be used again.
  [[no_unique_address]] std::conditional_t<kHasNode, Reclaiming, NothingToReclaim> reclaiming_;
  Reclaiming* later_;
  maps::internal::HeldMap held_;
  Shard& shard_;
  [[no_unique_address]] std::conditional_t<kFreezes, Place, Nothing> frozen_;
};

// The entries of one segment, copied under the lock of its shard; their nodes stay until the next.
template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
class ShardedMap<Key, Value, Hash, Equal, kTraits>::Copies {
 public:
  explicit Copies(ShardedMap& map) : map_(map), entries_(segment_buffer<Words>()) {}
  ~Copies() { leave(); }
  Copies(const Copies&) = delete;
  Copies& operator=(const Copies&) = delete;

  [[nodiscard]] const std::vector<Words>& entries() const noexcept { return entries_; }

  // Copies those from `position` on, before `end`; returns the position of the next segment.
  std::uint64_t of_segment_at(std::uint64_t position, Op operation,
                              std::uint64_t end = Table::kEnd) {
    leave();
    entries_.clear();
    used_.nodes.clear();
    const Writer writer(map_, Table::reverse(position), operation);
    const std::uint64_t next = map_.table_.for_segment_at(position, [&](const Place& place) {
      if (Table::reverse(place.hash) >= end) return;
      entries_.push_back(map_.table_.words(place));
      if constexpr (kHasNode) use_nodes(entries_.back());
    });
    if constexpr (kHasNode) {
      map_.reclaimer_.enter(used_);
      entered_ = true;
    }
    return next;
  }

 private:
  void use_nodes(const Words& words) {
    for (const Node* node : {value_node(words), Keys::node(words.data())}) {
      if (node != nullptr) used_.nodes.push_back(node);
    }
  }
  void leave() noexcept {
    if (std::exchange(entered_, false)) map_.reclaimer_.leave(used_);
  }

  ShardedMap& map_;
  std::vector<Words> entries_;
  maps::internal::NodeSet used_;
  bool entered_ = false;
};

// --- Construction ----------------------------------------------------------------------------

namespace maps::internal {

[[nodiscard]] inline std::uint32_t checked_shards(std::uint32_t shards) {
  if (shards > Shards::kCountMax) throw_length_error("a ShardedMap has at most 4096 shards");
  VIGIL_CHECK(std::has_single_bit(shards), "the number of shards must be a power of two");
  return shards;
}
[[nodiscard]] inline std::uint32_t shards_depth(const ShardedMapOptions& options) {
  return static_cast<std::uint32_t>(std::countr_zero(checked_shards(options.shards)));
}
// Three more levels than evenly spread hashes need, and enough for every number of shards.
[[nodiscard]] inline std::uint32_t depth_limit(const ShardedMapOptions& options) {
  const std::uint64_t segments = options.max_entries / 72 + 1;
  const auto depth = static_cast<std::uint32_t>(std::bit_width(segments)) + 3;
  return std::clamp(depth, static_cast<std::uint32_t>(std::countr_zero(Shards::kCountMax)) + 1,
                    Directory::kDepthMax);
}
// Twice the entries, because a segment that has just split is less than half full; the segments
// that the most shards start with; and chunks for every size of segment.
[[nodiscard]] inline std::uint64_t slots_for(const ShardedMapOptions& options) {
  constexpr std::uint64_t kSpare =
      (Shards::kCountMax * 11 + 64 * SegmentMemory::kChunkGroups) * kSlotsPerGroup;
  if (options.max_entries > Segment::kSlotsMax / 2) {
    throw_length_error("ShardedMapOptions::max_entries is over the limit of this format");
  }
  return 2 * options.max_entries + kSpare;
}

}  // namespace maps::internal

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
ShardedMap<Key, Value, Hash, Equal, kTraits>::ShardedMap(const ShardedMapOptions& options,
                                                         Hash hash, Equal equal)
    : ShardedMap(map_type_name<"ShardedMap", Key, Value>(), options, std::move(hash),
                 std::move(equal)) {}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
ShardedMap<Key, Value, Hash, Equal, kTraits>::ShardedMap(std::string_view type,
                                                         const ShardedMapOptions& options,
                                                         Hash hash, Equal equal)
    : keys_(std::move(hash), std::move(equal)),
      clock_(options.clock),
      max_entries_(options.max_entries),
      table_(keys_, maps::internal::slots_for(options), maps::internal::shards_depth(options),
             maps::internal::depth_limit(options)),
      shards_(options.shards),
      label_(this, options.name, type, MapSharing::kConcurrent) {
  for (std::uint32_t i = 0; i < options.shards; ++i) {
    table_.count_initial(Writer(*this, i, Op::kReserve).shard(), i);
  }
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
ShardedMap<Key, Value, Hash, Equal, kTraits>::~ShardedMap() {
  if constexpr (kHasNode) {
    for (std::uint64_t position = 0; position != Table::kEnd;) {
      position = table_.for_segment_at(position, [&](const Place& place) {
        const Words words = table_.words(place);
        for (Node* node : {value_node(words), Keys::node(words.data())}) {
          if (node != nullptr) node->let_go();
        }
      });
    }
  }
}

// --- Reads -----------------------------------------------------------------------------------

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::read(const Probe& probe, Publish publish,
                                                        Words& words) const {
  const Search search = table_.search(probe, words, publish);
  if (search == Search::kFound) [[likely]] {
    if (!expired(words)) [[likely]]
      return true;
  } else if (search == Search::kAbsent) {
    return false;
  }
  // By value, so that probe and words can stay in registers.
  const Reading reading = read_again(probe.key(), publish);
  words = reading.words;
  return reading.found;
}

// The clock is compared on both sides of the reading of the slot. One reading after it proves that
// an entry was alive, but not that it had expired: the entry may have been refreshed before the
// clock passed its old deadline, and then the key was never absent.
template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
[[gnu::noinline]] auto ShardedMap<Key, Value, Hash, Equal, kTraits>::read_again(
    lookup_type key, Publish publish) const -> Reading {
  const MapMark inside(label_, Op::kGet);
  const Probe probe(keys_, key);
  Backoff backoff;
  std::int64_t before = std::numeric_limits<std::int64_t>::min();
  Reading reading{};
  for (;;) {
    const Search search = table_.search(probe, reading.words, publish);
    if (search == Search::kAbsent) return reading;
    if (search == Search::kInterrupted) {
      backoff.pause();
      continue;
    }
    const std::int64_t now = Layout::kHasDeadline ? now_ms() : 0;
    if (!expired_at(reading.words, now)) {
      reading.found = true;
      return reading;
    }
    if (expired_at(reading.words, before)) return reading;
    before = now;
  }
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class Visitor>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::visit(lookup_type key, Visitor&& visitor) const {
  const Probe probe(keys_, key);
  if constexpr (!Values::kHasNode) {
    if (!probe.needs_confirm()) [[likely]] {
      Words words;
      const Search search = table_.search_home(probe, words);
      if (search == Search::kFound && certainly_alive(words)) [[likely]] {
        Values::access(value_words(words), visitor);
        return true;
      }
      if (search == Search::kAbsent) return false;
    }
  }
  // A tail call: nothing must stay alive across it, so the fast path needs no spills.
  return visit_slow_path(key, visitor);
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class Visitor>
[[gnu::noinline]] bool ShardedMap<Key, Value, Hash, Equal, kTraits>::visit_slow_path(
    lookup_type key, Visitor& visitor) const {
  const Probe probe(keys_, key);
  const Protection protection(*this, probe, true);
  const VisitMark mark(label_, Op::kGet);
  Words words;
  while (read(probe, protection.publish(), words)) {
    if (Values::access(value_words(words), visitor)) [[likely]]
      return true;
    // The value was unlinked while this thread waited for its lock: look again.
  }
  return false;
}

// --- Writes ----------------------------------------------------------------------------------

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class V>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::insert(lookup_type key, V&& value,
                                                          Deadline deadline) {
  const Probe probe(keys_, key);
  if constexpr (Values::kHasNode) {
    if (contains(probe)) return false;  // without allocating, and leaves `value` alone
  }
  typename Keys::Prepared prepared_key = probe.prepare();
  PreparedValue prepared_value(std::forward<V>(value));
  Writer writer(*this, probe.hash(), Op::kInsert);
  if (writer.find(probe).found()) return false;
  writer.insert(probe, prepared_key, prepared_value, deadline);
  return true;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class V>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::insert_or_assign(lookup_type key, V&& value,
                                                                    Deadline deadline) {
  const Probe probe(keys_, key);
  PreparedValue prepared(std::forward<V>(value));
  if constexpr (!Values::kHasNode) {
    if (replaces_without_lock(probe, deadline) &&
        table_.try_replace_value_at_home(probe, prepared.words())) {
      return false;
    }
  }
  // A tail call: nothing must stay alive across it, so the fast path needs no spills.
  return assign_slow_path(key, prepared, deadline);
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
[[gnu::noinline]] bool ShardedMap<Key, Value, Hash, Equal, kTraits>::assign_slow_path(
    lookup_type key, PreparedValue& value, Deadline deadline) {
  const Probe probe(keys_, key);
  if constexpr (!Values::kHasNode) {
    if (replaces_without_lock(probe, deadline) && table_.try_replace_value(probe, value.words())) {
      return false;
    }
  }
  typename Keys::Prepared prepared_key = probe.prepare();
  Writer writer(*this, probe.hash(), Op::kInsertOrAssign);
  if (const Place place = writer.find(probe); place.found()) {
    writer.replace(place, value, deadline);
    return false;
  }
  writer.insert(probe, prepared_key, value, deadline);
  return true;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
auto ShardedMap<Key, Value, Hash, Equal, kTraits>::get_or_insert(lookup_type key,
                                                                 const Value& value,
                                                                 Deadline deadline)
    -> GetOrInsertResult {
  static_assert(kCopyable, "get_or_insert returns a copy of the value");
  if (std::optional<Value> found = get(key)) return {std::move(*found), false};
  return insert_or_get(key, value, deadline);
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
auto ShardedMap<Key, Value, Hash, Equal, kTraits>::insert_or_get(lookup_type key,
                                                                 const Value& value,
                                                                 Deadline deadline)
    -> GetOrInsertResult {
  const Probe probe(keys_, key);
  typename Keys::Prepared prepared_key = probe.prepare();
  PreparedValue prepared_value(value);
  Writer writer(*this, probe.hash(), Op::kGetOrInsert);
  const Place place = writer.find(probe);
  // The only variable returned, and made before anything changes: a copy that throws comes first.
  GetOrInsertResult result{
      place.found() ? Values::extract(value_words(writer.words(place))) : Value(value),
      !place.found()};
  if (!place.found()) writer.insert(probe, prepared_key, prepared_value, deadline);
  return result;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class V>
std::optional<Value> ShardedMap<Key, Value, Hash, Equal, kTraits>::exchange(lookup_type key,
                                                                            V&& value,
                                                                            Deadline deadline) {
  const Probe probe(keys_, key);
  typename Keys::Prepared prepared_key = probe.prepare();
  PreparedValue prepared_value(std::forward<V>(value));
  std::optional<Value> old;  // the only variable returned, so that nothing moves after replace()
  if constexpr (kLocked) {
    const auto replaces = [&](Locked& node, Reclaiming& later) {
      Writer writer(*this, probe.hash(), Op::kExchange, &later);
      const Place place = writer.find(probe);
      if (!is_at(writer, place, node)) return false;
      old.emplace(std::move(node.value));
      writer.replace(place, prepared_value, deadline);
      return true;
    };
    while (!with_locked(key, Op::kExchange, replaces)) {
      Writer writer(*this, probe.hash(), Op::kExchange);
      if (writer.find(probe).found()) continue;
      writer.insert(probe, prepared_key, prepared_value, deadline);
      break;
    }
  } else {
    Writer writer(*this, probe.hash(), Op::kExchange);
    const Place place = writer.hold(probe);
    if (place.found()) {
      old.emplace(Values::extract(value_words(writer.words(place))));
      writer.replace(place, prepared_value, deadline);
    } else {
      writer.insert(probe, prepared_key, prepared_value, deadline);
    }
  }
  return old;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class V>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::compare_exchange(lookup_type key,
                                                                    const Value& expected,
                                                                    V&& desired) {
  const Probe probe(keys_, key);
  PreparedValue prepared_value(std::forward<V>(desired));
  if constexpr (kLocked) {
    bool replaced = false;
    with_locked(key, Op::kCompareExchange, [&](Locked& node, Reclaiming& later) {
      if (!holds([&](const Value& value) { return value == expected; }, node.value)) return true;
      Writer writer(*this, probe.hash(), Op::kCompareExchange, &later);
      const Place place = writer.find(probe);
      if (!is_at(writer, place, node)) return false;
      writer.replace(place, prepared_value);
      return replaced = true;
    });
    return replaced;
  }
  Writer writer(*this, probe.hash(), Op::kCompareExchange);
  const Place place = writer.hold(probe);
  if (!place.found()) return false;
  bool equal = false;
  Values::access(value_words(writer.words(place)),
                 [&](const Value& value) { equal = value == expected; });
  if (equal) writer.replace(place, prepared_value);
  return equal;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class Change>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::update(lookup_type key, Change&& change) {
  if constexpr (kLocked) {
    return with_locked(key, Op::kUpdate, [&](Locked& node, Reclaiming&) {
      const maps::internal::HeldMap held(label_, Op::kUpdate);
      change(node.value);
      return true;
    });
  } else {
    const Probe probe(keys_, key);
    Writer writer(*this, probe.hash(), Op::kUpdate);
    const Place place = writer.hold(probe);
    if (!place.found()) return false;
    PreparedValue changed = Values::changed(value_words(writer.words(place)), change);
    writer.replace(place, changed);
    return true;
  }
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::erase(lookup_type key) {
  const Probe probe(keys_, key);
  Writer writer(*this, probe.hash(), Op::kErase);
  const Place place = writer.find(probe);
  if (place.found()) writer.erase(place);
  return place.found();
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
std::optional<Value> ShardedMap<Key, Value, Hash, Equal, kTraits>::take(lookup_type key) {
  const Probe probe(keys_, key);
  std::optional<Value> taken;  // the only variable returned, so that nothing moves after erase()
  if constexpr (kLocked) {
    with_locked(key, Op::kTake, [&](Locked& node, Reclaiming& later) {
      Writer writer(*this, probe.hash(), Op::kTake, &later);
      const Place place = writer.find(probe);
      if (!is_at(writer, place, node)) return false;
      taken.emplace(std::move(node.value));
      writer.erase(place);
      return true;
    });
  } else {
    Writer writer(*this, probe.hash(), Op::kTake);
    const Place place = writer.hold(probe);
    if (place.found()) {
      taken.emplace(Values::extract(value_words(writer.words(place))));
      writer.erase(place);
    }
  }
  return taken;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class Predicate>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::erase_if(lookup_type key,
                                                            Predicate&& predicate) {
  const Probe probe(keys_, key);
  if constexpr (kLocked) {
    bool erased = false;
    with_locked(key, Op::kErase, [&](Locked& node, Reclaiming& later) {
      if (!holds(predicate, node.value)) return true;
      Writer writer(*this, probe.hash(), Op::kErase, &later);
      const Place place = writer.find(probe);
      if (!is_at(writer, place, node)) return false;
      writer.erase(place);
      return erased = true;
    });
    return erased;
  }
  Writer writer(*this, probe.hash(), Op::kErase);
  const Place place = writer.hold(probe);
  if (!place.found()) return false;
  bool matches = false;
  Values::access(value_words(writer.words(place)),
                 [&](const Value& value) { matches = predicate(value); });
  if (matches) writer.erase(place);
  return matches;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
void ShardedMap<Key, Value, Hash, Equal, kTraits>::erase_at(Shard& shard, Place place) noexcept {
  const Words old = table_.words(place);
  table_.erase(shard, place);
  retire_nodes(shard, old);
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
[[gnu::noinline]] bool ShardedMap<Key, Value, Hash, Equal, kTraits>::erase_expired(Shard& shard,
                                                                                   Place place) {
  const Words words = table_.words(place);
  if (!expired(words)) return false;
  collect_expired(shard, place, words);
  return true;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
void ShardedMap<Key, Value, Hash, Equal, kTraits>::collect_expired(Shard& shard, Place place,
                                                                   const Words& words) {
  report_expired(words);
  erase_at(shard, place);
  shard.counters().expired.add(1);
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
void ShardedMap<Key, Value, Hash, Equal, kTraits>::report_expired(
    const Words& words) const noexcept {
  if constexpr (kCopyable && Layout::kHasDeadline) {
    if (!expiry_listener_) return;
    keys_.with_key(words.data(), [&](lookup_type key) {
      Values::access(value_words(words), [&](const Value& value) { expiry_listener_(key, value); });
    });
  }
}

// --- Values that can only be moved -------------------------------------------------------------
//
// Lock order: a value's lock, then that of the shard. So whoever waits for the readers of a value
// holds nobody else, and whoever has found the entry of a value under the lock of its shard does
// not wait for it: erasing unlinks it, and says so in the node for those who come later.

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class With>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::with_locked(lookup_type key, Op operation,
                                                               With&& with) {
  maps::internal::HeldMap::checked(label_);
  const Probe probe(keys_, key);
  const MapMark inside(label_, operation);
  const Protection protection(*this, probe, true);
  Reclaiming later(*this);
  Words words;
  while (read(probe, protection.publish(), words)) {
    auto& node = static_cast<Locked&>(*value_node(words));
    const std::lock_guard alone(node.lock);
    if (node.unlinked.load(std::memory_order_acquire)) continue;
    if (with(node, later)) return true;
  }
  return false;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::is_at(const Writer& writer, const Place& place,
                                                         const Locked& node) {
  return place.found() && value_node(writer.words(place)) == &node;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class Predicate>
std::uint64_t ShardedMap<Key, Value, Hash, Equal, kTraits>::erase_all_locked_if(
    Predicate& predicate) {
  std::uint64_t erased = 0;
  Copies copies(*this);
  for (std::uint64_t position = 0; position != Table::kEnd;) {
    position = copies.of_segment_at(position, Op::kErase);
    for (const Words& words : copies.entries()) {
      if (expired(words)) continue;
      Reclaiming later(*this);
      auto& node = static_cast<Locked&>(*value_node(words));
      const std::lock_guard alone(node.lock);
      if (node.unlinked.load(std::memory_order_acquire)) continue;
      const bool matches = keys_.with_key(words.data(), [&](lookup_type key) {
        return holds([&](const Value& value) { return predicate(key, value); }, node.value);
      });
      if (!matches) continue;
      // By the node, not by the key: a key need not equal itself.
      const std::uint64_t hash = keys_.stored_hash(words.data());
      Writer writer(*this, hash, Op::kErase, &later);
      const Place place = table_.find_value(hash, maps::internal::node_word(&node));
      if (!place.found()) continue;
      writer.erase(place);
      ++erased;
    }
  }
  return erased;
}

// --- Bulk ------------------------------------------------------------------------------------

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class Visitor>
void ShardedMap<Key, Value, Hash, Equal, kTraits>::for_each(Visitor&& visitor) const {
  for_each_between(0, Table::kEnd, visitor);
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class Visitor>
void ShardedMap<Key, Value, Hash, Equal, kTraits>::parallel_for_each(unsigned threads,
                                                                     Visitor&& visitor) const {
  // Other threads would wait for what this one holds.
  maps::internal::HeldMap::checked(label_);
  constexpr std::uint64_t kSpan = Table::kEnd / maps::internal::kParts;
  maps::internal::run_parts(threads, [&](std::uint64_t part) {
    return for_each_between(part * kSpan, (part + 1) * kSpan, visitor);
  });
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class Visitor>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::for_each_between(std::uint64_t begin,
                                                                    std::uint64_t end,
                                                                    Visitor& visitor) const {
  auto& self = const_cast<ShardedMap&>(*this);  // to lock, not to change
  const MapMark inside(label_, Op::kIterate);
  Copies copies(self);
  for (std::uint64_t position = begin; position < end;) {
    position = copies.of_segment_at(position, Op::kIterate, end);
    const VisitMark mark(label_, Op::kIterate);
    for (const Words& words : copies.entries()) {
      if (expired(words)) continue;
      bool goes_on = true;
      keys_.with_key(words.data(), [&](lookup_type key) {
        Values::access(value_words(words), [&](const Value& value) {
          goes_on = maps::internal::visited_goes_on(visitor, key, value);
        });
      });
      if (!goes_on) return false;
    }
  }
  return true;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class Predicate>
std::uint64_t ShardedMap<Key, Value, Hash, Equal, kTraits>::erase_if(Predicate&& predicate) {
  if constexpr (kLocked) return erase_all_locked_if(predicate);
  const auto matches = [&](const Words& words) {
    bool result = false;
    keys_.with_key(words.data(), [&](lookup_type key) {
      Values::access(value_words(words),
                     [&](const Value& value) { result = predicate(key, value); });
    });
    return result;
  };
  std::uint64_t erased = 0;
  std::vector<Seen> doomed = segment_buffer<Seen>();
  for (std::uint64_t position = 0; position != Table::kEnd;) {
    doomed.clear();
    Writer writer(*this, Table::reverse(position), Op::kErase);
    position = table_.for_segment_at(position, [&](const Place& place) {
      const Words words = table_.words(place);
      if (!expired(words) && matches(words)) doomed.push_back({place, words});
    });
    erased += writer.erase_all(doomed, matches);
  }
  return erased;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
void ShardedMap<Key, Value, Hash, Equal, kTraits>::clear() {
  for (std::uint64_t position = 0; position != Table::kEnd;) {
    Writer writer(*this, Table::reverse(position), Op::kClear);
    position = table_.clear_segment_at(writer.shard(), position,
                                       [&writer](const Words& words) { writer.retire(words); });
  }
  reclaim();
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
auto ShardedMap<Key, Value, Hash, Equal, kTraits>::sweep(std::int64_t now_ms, std::uint64_t budget)
    -> SweepResult {
  SweepResult result;
  std::unique_lock turn(sweep_lock_, std::try_to_lock);
  if (!turn.owns_lock()) return result;
  std::vector<Seen> doomed = segment_buffer<Seen>();
  if (shards_.sum(&Counters::with_deadline) == 0) {
    sweep_position_ = 0;
    result.wrapped = true;
  }
  for (std::uint64_t seen = 0; seen < budget && !result.wrapped;) {
    doomed.clear();
    Writer writer(*this, Table::reverse(sweep_position_), Op::kSweep);
    sweep_position_ = table_.for_segment_at(sweep_position_, [&](const Place& place) {
      const Words words = table_.words(place);
      ++seen;
      if (expired_at(words, now_ms)) doomed.push_back({place, words});
    });
    const auto still = [now_ms](const Words& words) { return expired_at(words, now_ms); };
    for (const Seen& entry : doomed) report_expired(entry.words);
    const std::uint64_t erased = writer.erase_all(doomed, still);
    writer.shard().counters().expired.add(erased);
    result.expired += erased;
    ++seen;  // so that empty segments use up the budget as well
    if (sweep_position_ == Table::kEnd) {
      sweep_position_ = 0;
      result.wrapped = true;
    }
  }
  turn.unlock();
  if (result.wrapped) reclaim();
  return result;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
void ShardedMap<Key, Value, Hash, Equal, kTraits>::reclaim() {
  maps::internal::HeldMap::checked(label_);
  reclaim(true);
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
[[gnu::noinline]] void ShardedMap<Key, Value, Hash, Equal, kTraits>::reclaim(bool wait) noexcept {
  const maps::internal::Garbage garbage = reclaimer_.reclaim(
      wait, [this](maps::internal::Retired& to) { shards_.hand_over_retired(to); });
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
void ShardedMap<Key, Value, Hash, Equal, kTraits>::shrink_to_fit() {
  for (std::uint64_t position = 0; position != Table::kEnd;) {
    const Writer writer(*this, Table::reverse(position), Op::kReserve);
    position = table_.shrink_segment_at(writer.shard(), position);
  }
  reclaim();
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
void ShardedMap<Key, Value, Hash, Equal, kTraits>::reserve(std::uint64_t entries) {
  if (entries > max_entries_) {
    throw_length_error("reserve() was asked for more than the option max_entries allows");
  }
  for (std::uint64_t position = 0; position != Table::kEnd;) {
    const Writer writer(*this, Table::reverse(position), Op::kReserve);
    position = table_.reserve_at(writer.shard(), position, entries);
  }
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
void ShardedMap<Key, Value, Hash, Equal, kTraits>::set_shard_count(std::uint32_t shards) {
  const maps::internal::HeldMap held(label_, Op::kReserve);
  shards_.change_count(maps::internal::checked_shards(shards),
                       [this](Shard& shard, std::uint64_t hash, std::uint32_t depth) {
                         table_.deepen_to(shard, hash, depth);
                       });
}

// --- Statistics and debugging ----------------------------------------------------------------

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
ShardedMapStats ShardedMap<Key, Value, Hash, Equal, kTraits>::stats() const noexcept {
  ShardedMapStats stats;
  stats.entries = size();
  stats.with_deadline = shards_.sum(&Counters::with_deadline);
  stats.expired_total = shards_.sum(&Counters::expired);
  stats.slots = shards_.sum(&Counters::groups) * maps::internal::kSlotsPerGroup;
  stats.segments = shards_.sum(&Counters::segments);
  stats.resizes_total = shards_.sum(&Counters::resizes);
  stats.splits_total = shards_.sum(&Counters::splits);
  stats.merges_total = shards_.sum(&Counters::merges);
  stats.kept_nodes = reclaimer_.kept();
  stats.retired_nodes = shards_.sum(&Counters::retired) + reclaimer_.kept();
  stats.retired_bytes = shards_.sum(&Counters::debt) + reclaimer_.kept_bytes();
  stats.keeping_thread = reclaimer_.keeping_thread();
  stats.table_bytes = table_.bytes_in_use();
  stats.directory_bytes = table_.directory_bytes();
  return stats;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
void ShardedMap<Key, Value, Hash, Equal, kTraits>::check_invariants() const {
  const maps::internal::HeldMap held(label_, Op::kIterate);
  shards_.with_all_locked([this] {
    std::uint64_t entries = 0;
    std::uint64_t with_deadline = 0;
    std::uint64_t segments = 0;
    for (std::uint64_t position = 0; position != Table::kEnd; ++segments) {
      position = table_.check_segment_at(position, entries, with_deadline);
    }
    VIGIL_CHECK(entries == shards_.sum(&Counters::entries), "the entry counter is wrong");
    VIGIL_CHECK(with_deadline == shards_.sum(&Counters::with_deadline),
                "the counter of entries with a deadline is wrong");
    VIGIL_CHECK(segments == table_.allocated_segments(), "a segment is allocated but unreachable");
  });
}

}  // namespace vigil
