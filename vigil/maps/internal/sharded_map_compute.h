// SPDX-License-Identifier: Apache-2.0
//
// The members of ShardedMap that compute what they store: part of sharded_map.h, which includes
// this after the class and sharded_map_impl.h. No other file does, and it cannot be compiled by
// itself.
//
// Callbacks run under the lock of the shard, so that the one that makes a value runs once, however
// many threads want it. For values that can only be moved, the value's lock is taken first and
// without the shard's (sharded_map_impl.h says why).
//
// Thread safety: as sharded_map.h says.
#pragma once

#include <optional>
#include <utility>
#include <vector>

namespace vigil {

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class... Args>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::try_emplace(lookup_type key, Args&&... args) {
  const Probe probe(keys_, key);
  if (contains(probe)) return false;
  typename Keys::Prepared prepared_key = probe.prepare();
  Writer writer(*this, probe.hash(), Op::kInsert);
  if (writer.find(probe).found()) return false;
  if constexpr (Values::kHasNode) {
    PreparedValue value(std::forward<Args>(args)...);
    writer.insert(probe, prepared_key, value, {});
  } else {
    PreparedValue value(Value(std::forward<Args>(args)...));
    writer.insert(probe, prepared_key, value, {});
  }
  return true;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class Make>
auto ShardedMap<Key, Value, Hash, Equal, kTraits>::get_or_compute(lookup_type key, Make&& make,
                                                                  Deadline deadline)
    -> GetOrInsertResult {
  static_assert(kCopyable, "get_or_compute returns a copy of the value");
  if (std::optional<Value> found = get(key)) return {std::move(*found), false};
  return compute_or_get(key, make, deadline);
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class Make>
auto ShardedMap<Key, Value, Hash, Equal, kTraits>::compute_or_get(lookup_type key, Make& make,
                                                                  Deadline deadline)
    -> GetOrInsertResult {
  const Probe probe(keys_, key);
  typename Keys::Prepared prepared_key = probe.prepare();
  Writer writer(*this, probe.hash(), Op::kGetOrInsert);
  const Place place = writer.find(probe);
  // The only variable returned, so that nothing moves after insert().
  GetOrInsertResult result{
      place.found() ? Values::extract(value_words(writer.words(place))) : Value(make()),
      !place.found()};
  if (!place.found()) {
    PreparedValue prepared_value(result.value);
    writer.insert(probe, prepared_key, prepared_value, deadline);
  }
  return result;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class OnMissing, class OnPresent>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::upsert(lookup_type key, OnMissing&& on_missing,
                                                          OnPresent&& on_present,
                                                          Deadline deadline) {
  const Probe probe(keys_, key);
  typename Keys::Prepared prepared_key = probe.prepare();
  for (;;) {
    if constexpr (kLocked) {
      if (update(key, on_present)) return false;
    }
    Writer writer(*this, probe.hash(), Op::kUpdate);
    const Place place = writer.hold(probe);
    if (!place.found()) {
      PreparedValue made(on_missing());
      writer.insert(probe, prepared_key, made, deadline);
      return true;
    }
    if constexpr (!kLocked) {
      PreparedValue changed = Values::changed(value_words(writer.words(place)), on_present);
      writer.replace(place, changed);
      return false;
    }
  }
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class Predicate, class Change>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::update_if(lookup_type key, Predicate&& predicate,
                                                             Change&& change) {
  bool changes = false;
  if constexpr (kLocked) {
    update(key, [&](Value& value) {
      changes = predicate(std::as_const(value));
      if (changes) change(value);
    });
  } else {
    const Probe probe(keys_, key);
    Writer writer(*this, probe.hash(), Op::kUpdate);
    const Place place = writer.hold(probe);
    if (!place.found()) return false;
    const Words words = writer.words(place);
    Values::access(value_words(words), [&](const Value& value) { changes = predicate(value); });
    if (!changes) return false;
    PreparedValue changed = Values::changed(value_words(words), change);
    writer.replace(place, changed);
  }
  return changes;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class Compute>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::compute(lookup_type key, Compute&& compute,
                                                           Deadline deadline) {
  if constexpr (kLocked) {
    return compute_locked(key, compute, deadline);
  } else {
    const Probe probe(keys_, key);
    typename Keys::Prepared prepared_key = probe.prepare();
    Writer writer(*this, probe.hash(), Op::kUpdate);
    const Place place = writer.hold(probe);
    std::optional<Value> value;
    if (place.found()) value.emplace(Values::extract(value_words(writer.words(place))));
    compute(value);
    if (value.has_value()) {
      PreparedValue prepared(std::move(*value));
      if (place.found()) {
        writer.replace(place, prepared);
      } else {
        writer.insert(probe, prepared_key, prepared, deadline);
      }
    } else if (place.found()) {
      writer.erase(place);
    }
    return value.has_value();
  }
}

// The value, its lock held, outside of its node; there again at the end unless it was given up.
template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
class ShardedMap<Key, Value, Hash, Equal, kTraits>::Borrowed {
 public:
  explicit Borrowed(Locked& node) noexcept : node_(node), value(std::move(node.value)) {}
  ~Borrowed() {
    if (!value.has_value()) return;
    std::destroy_at(&node_.value);
    std::construct_at(&node_.value, std::move(*value));
  }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;

 private:
  Locked& node_;

 public:
  std::optional<Value> value;
};

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class Compute>
bool ShardedMap<Key, Value, Hash, Equal, kTraits>::compute_locked(lookup_type key, Compute& compute,
                                                                  Deadline deadline) {
  const Probe probe(keys_, key);
  typename Keys::Prepared prepared_key = probe.prepare();
  bool present = false;
  const auto with_value = [&](Locked& node, Reclaiming& later) {
    // The shard as well: what erases must not find that another has erased meanwhile.
    Writer writer(*this, probe.hash(), Op::kUpdate, &later);
    const Place place = writer.find(probe);
    if (!is_at(writer, place, node)) return false;
    Borrowed borrowed(node);
    compute(borrowed.value);
    present = borrowed.value.has_value();
    if (!present) writer.erase(place);
    return true;
  };
  while (!with_locked(key, Op::kUpdate, with_value)) {
    Writer writer(*this, probe.hash(), Op::kUpdate);
    if (writer.find(probe).found()) continue;
    std::optional<Value> value;
    compute(value);
    if (!value.has_value()) return false;
    PreparedValue prepared(std::move(*value));
    writer.insert(probe, prepared_key, prepared, deadline);
    return true;
  }
  return present;
}

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class Change>
std::uint64_t ShardedMap<Key, Value, Hash, Equal, kTraits>::update_all(Change&& change) {
  std::uint64_t changed = 0;
  if constexpr (kLocked) {
    Copies copies(*this);
    for (std::uint64_t position = 0; position != Table::kEnd;) {
      position = copies.of_segment_at(position, Op::kUpdate);
      for (const Words& words : copies.entries()) {
        if (expired(words)) continue;
        auto& node = static_cast<Locked&>(*value_node(words));
        const std::lock_guard alone(node.lock);
        if (node.unlinked.load(std::memory_order_acquire)) continue;
        const maps::internal::HeldMap held(label_, Op::kUpdate);
        keys_.with_key(words.data(), [&](lookup_type key) { change(key, node.value); });
        ++changed;
      }
    }
  } else {
    std::vector<Place> places = segment_buffer<Place>();
    for (std::uint64_t position = 0; position != Table::kEnd;) {
      places.clear();
      Writer writer(*this, Table::reverse(position), Op::kUpdate);
      position =
          table_.for_segment_at(position, [&](const Place& place) { places.push_back(place); });
      for (const Place& place : places) {
        writer.hold(place);
        const Words words = writer.words(place);
        if (!expired(words)) {
          keys_.with_key(words.data(), [&](lookup_type key) {
            PreparedValue prepared =
                Values::changed(value_words(words), [&](Value& value) { change(key, value); });
            writer.replace(place, prepared);
          });
          ++changed;
        }
        writer.let_go();
      }
    }
  }
  return changed;
}

}  // namespace vigil
