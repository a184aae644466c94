// SPDX-License-Identifier: Apache-2.0
//
// with_keys() of ShardedMap: several entries change at one moment. Part of sharded_map.h, which
// includes this after the class. No other file does, and it cannot be compiled by itself.
//
//   1 lock     the shards of all keys, in ascending order (Shards::lock_all)
//   2 find     remove what has expired, by one reading of the clock; make room for every key that
//   is
//              absent, since it may be added; keep the values of the others as they are (freeze)
//   3 call     the callback, with the values
//   4 prepare  what is to be stored; all that may fail has now happened
//   5 store    with all groups concerned open (table.h, group.h), which makes those who read one of
//              these entries wait for some stores, not for the callback
//
// Strictly serialisable with operations on single keys: writers of these keys wait for the locks,
// or are kept away by the freeze; readers see nothing before the last group is open, and everything
// from the moment at which they see something. The moment of the whole is the opening of the last
// group. But an entry whose deadline passes between 2 and 5 counts as present.
//
// Thread safety: as sharded_map.h says.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace vigil {

// The holder of the locks of the shards of several keys.
template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
class ShardedMap<Key, Value, Hash, Equal, kTraits>::SeveralWriter {
 public:
  SeveralWriter(ShardedMap& map, std::span<const key_argument> keys) VIGIL_NO_THREAD_SAFETY_ANALYSIS
      : map_(map),
        reclaiming_(map),
        held_(map.label_, Op::kUpdate),
        probes_(probes_of(map, keys)),
        numbers_(std::span<const Probe>(probes_),
                 [](std::uint64_t hash) { return Table::reverse(hash); }),
        entries_(entries_of(probes_, numbers_)) {
    std::vector<std::uint64_t> hashes;
    hashes.reserve(entries_.size());
    for (const Entry& entry : entries_) hashes.push_back(entry.probe->hash());
    maps::internal::ShardArray& array = map_.shards_.lock_all(hashes, locked_);
    for (Entry& entry : entries_) entry.shard = &array.of(entry.probe->hash());
  }
  ~SeveralWriter() VIGIL_NO_THREAD_SAFETY_ANALYSIS {
    for (const Entry& entry : entries_) {
      if (entry.place.found()) map_.table_.thaw(entry.place);
    }
    for (Shard* const shard : locked_) {
      if constexpr (kHasNode) reclaiming_.due = std::max(reclaiming_.due, shard->count_write());
      shard->lock().unlock();
    }
  }
  SeveralWriter(const SeveralWriter&) = delete;
  SeveralWriter& operator=(const SeveralWriter&) = delete;

  [[nodiscard]] MapValues<Value> no_values() const {
    return MapValues<Value>(numbers_.numbers(), numbers_.distinct());
  }
  void find(MapValues<Value>& values) {
    remove_expired();
    make_room();
    for (std::size_t n = 0; n < entries_.size(); ++n) {
      Entry& entry = entries_[n];
      const Place place = map_.table_.find(*entry.probe);
      if (!place.found()) continue;
      map_.table_.freeze(place);
      entry.place = place;
      values.distinct(n).emplace(Values::extract(value_words(map_.table_.words(place))));
    }
  }
  void store(MapValues<Value>& values, Deadline deadline) {
    for (std::size_t n = 0; n < entries_.size(); ++n) {
      std::optional<Value>& value = values.distinct(n);
      if (value.has_value()) entries_[n].prepare(std::move(*value), deadline);
    }
    store_prepared();
  }

 private:
  struct Entry {
    explicit Entry(const Probe& p) : probe(&p), key(p.prepare()) {}

    void prepare(Value&& from, Deadline deadline) {
      value.emplace(std::move(from));
      std::copy_n(key.words.data(), Layout::kKeyWords, words.data());
      set_value(words, deadline, *value);
    }

    const Probe* probe;
    typename Keys::Prepared key;
    Shard* shard = nullptr;
    Place place = {};  // where the entry was
    Place added = {};  // where it is, if it was added
    std::optional<PreparedValue> value = std::nullopt;
    Words words = {};  // of an entry that is added
  };

  static std::vector<Probe> probes_of(const ShardedMap& map, std::span<const key_argument> keys) {
    std::vector<Probe> probes;
    probes.reserve(keys.size());
    for (const key_argument& key : keys) probes.emplace_back(map.keys_, key);
    return probes;
  }
  static std::vector<Entry> entries_of(const std::vector<Probe>& probes,
                                       const maps::internal::KeyNumbers& numbers) {
    std::vector<Entry> entries;
    entries.reserve(numbers.distinct());
    for (std::size_t n = 0; n < numbers.distinct(); ++n) {
      entries.emplace_back(probes[numbers.first(n)]);
    }
    return entries;
  }

  void remove_expired() {
    if constexpr (Layout::kHasDeadline) {
      std::optional<std::int64_t> now;
      for (const Entry& entry : entries_) {
        const Place place = map_.table_.find(*entry.probe);
        if (!place.found()) continue;
        const Words words = map_.table_.words(place);
        if (words[Layout::kDeadlineAt] == kNever) continue;
        if (!now.has_value()) now = map_.now_ms();
        if (expired_at(words, *now)) map_.collect_expired(*entry.shard, place, words);
      }
    }
  }
  void make_room() {
    // Their hashes in the order of the entries, in which those of one segment are neighbours.
    std::vector<std::uint64_t> absent;
    absent.reserve(entries_.size());
    for (const Entry& entry : entries_) {
      const std::uint64_t hash = entry.probe->hash();
      if (!map_.table_.find(*entry.probe).found()) absent.push_back(hash);
    }
    const auto before = [](std::uint64_t a, std::uint64_t b) {
      return Table::reverse(a) < Table::reverse(b);
    };
    const auto count = [&](std::uint64_t low, std::uint64_t mask) {
      const auto first = std::lower_bound(absent.begin(), absent.end(), low, before);
      const auto last = std::upper_bound(absent.begin(), absent.end(), low | ~mask, before);
      return static_cast<std::uint64_t>(last - first);
    };
    // Again, if a segment grew that has room for an earlier key as well.
    for (bool grew = true; grew;) {
      grew = false;
      for (const Entry& entry : entries_) {
        const std::uint64_t hash = entry.probe->hash();
        if (!std::binary_search(absent.begin(), absent.end(), hash, before)) continue;
        grew |= map_.table_.make_room(*entry.shard, hash, count);
      }
    }
  }

  void store_prepared() noexcept {
    Table& table = map_.table_;
    for (Entry& entry : entries_) {
      if (entry.place.found()) table.open(entry.place);
    }
    for (Entry& entry : entries_) {
      if (entry.place.found() || !entry.value.has_value()) continue;
      entry.added = table.put_open(*entry.shard, entry.probe->hash(), entry.words);
      entry.key.release();
      entry.value->release();
    }
    for (Entry& entry : entries_) {
      if (entry.place.found()) change_open(entry);
    }
    for (const Entry& entry : entries_) {
      if (entry.place.found()) table.close(entry.place);
      if (entry.added.found()) table.close(entry.added);
    }
    for (const Entry& entry : entries_) {
      if (entry.place.found() && !entry.value.has_value()) table.forget_overflow(entry.place);
    }
    for (Entry& entry : entries_) {
      const bool erased = std::exchange(entry.place, Place{}).found() && !entry.value.has_value();
      if (erased) table.shrink(*entry.shard, entry.probe->hash());
    }
  }
  void change_open(Entry& entry) noexcept {
    const Words old = map_.table_.words_open(entry.place);
    if (entry.value.has_value()) {
      map_.table_.replace_value_open(entry.place, entry.value->words());
      entry.value->release();
      if constexpr (Values::kHasNode) retire_value(*entry.shard, value_node(old));
    } else {
      map_.table_.erase_open(*entry.shard, entry.place);
      retire_nodes(*entry.shard, old);
    }
  }

  ShardedMap& map_;
  Reclaiming reclaiming_;  // destroyed last, when the map may be used again
  maps::internal::HeldMap held_;
  const std::vector<Probe> probes_;
  const maps::internal::KeyNumbers numbers_;
  std::vector<Entry> entries_;  // one for each distinct key
  std::vector<Shard*> locked_;
};

template <class Key, class Value, class Hash, class Equal, ShardedMapTraits kTraits>
template <class Change>
auto ShardedMap<Key, Value, Hash, Equal, kTraits>::with_keys(std::span<const key_argument> keys,
                                                             Change&& change, Deadline deadline)
    -> std::invoke_result_t<Change&, MapValues<Value>&> {
  static_assert(kCopyable,
                "with_keys() shows copies of the values: a Value that can only be moved cannot be "
                "changed together with others");
  SeveralWriter writer(*this, keys);
  MapValues<Value> values = writer.no_values();
  writer.find(values);
  if constexpr (std::is_void_v<std::invoke_result_t<Change&, MapValues<Value>&>>) {
    change(values);
    writer.store(values, deadline);
  } else {
    auto result = change(values);
    writer.store(values, deadline);
    return result;
  }
}

}  // namespace vigil
