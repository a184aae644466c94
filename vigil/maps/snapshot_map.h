// SPDX-License-Identifier: Apache-2.0
//
// SnapshotMap: a copy-on-write hash map. A write makes a new version of the whole map; a reader
// works on one version for as long as it likes. docs/maps.md compares the maps of the family.
//
// Use when: a map is read all the time and replaced now and then, and readers must see one moment:
// configuration reloaded while requests run (Go: atomic.Value with a map in it). Use instead:
// ShardedMap or ReadMostlyMap when single entries change more often than the map could be copied.
//
// Requirements: Key and Value can be copied, Key moved without an exception; Hash takes
// std::string_view where Key is std::string, else const Key&, and returns an integer; Equal
// compares two of these. The compiler says so in a sentence (internal/requirements.h).
//
// Thread safety: every member but construction and destruction may be called from any thread. A
// Snapshot may be handed to other threads and outlive the map; like a shared_ptr, one Snapshot
// object is not itself thread-safe.
//
// Consistency: every operation, for_each and edit() included, is atomic: the map as a whole is
// linearizable. A Snapshot never changes.
//
// Blocking: reads take no lock and write no shared memory (snapshot() counts itself in the version,
// which is shared). Writers wait for each other.
//
// Reclamation: an old version is destroyed by the next write, or by reclaim(), that finds no read
// of it running (vigil/table/hazard.h) and no Snapshot of it. A read that runs for long keeps the
// one version that it reads.
//
// Callbacks: those of reads may use the map freely and go on seeing their version. Those of writes
// must not write it, which VIGIL_CHECK stops; they may read it and see the version before the
// write.
//   allowed:    map.for_each([&](const auto& key, const Value&) { map.erase(key); });
//   forbidden:  map.edit([&](auto& draft) { map.clear(); });       // stopped, with a message
//
// Complexity: reads O(1) expected; a write that changes something O(size), so edit() does many at
// once. Memory: internal/flat/flat_table.h for each version.
//
// Exceptions: what copies, Hash, Equal and callbacks throw, and std::bad_alloc; the map is then as
// it was.
//
// Left out on purpose: iterators, moves, emplace (concurrent_map.h says why).
//
// Example:
//   vigil::SnapshotMap<std::string, int> limits({.name = "limits"});
//   limits.edit([](auto& draft) {
//     draft.insert_or_assign("read", 5);
//     draft.insert_or_assign("write", 3);
//   });
//   const auto before = limits.snapshot();  // one moment, as long as `before` lives
//   limits.insert_or_assign("read", 9);
//   assert(before.get("read") == 5 && before.get("write") == 3);
//   assert(limits.get("read") == 9);
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "vigil/base/mutex.h"
#include "vigil/maps/default_hash.h"
#include "vigil/maps/internal/flat/flat_map.h"
#include "vigil/maps/internal/node.h"
#include "vigil/maps/internal/parts.h"
#include "vigil/maps/internal/reclaimer.h"
#include "vigil/maps/internal/reentry.h"
#include "vigil/maps/map_options.h"
#include "vigil/stacks/map_mark.h"
#include "vigil/stacks/type_name.h"
#include "vigil/table/hazard.h"

namespace vigil {

struct SnapshotMapStats {
  std::uint64_t entries = 0;
  std::uint64_t slots = 0;
  std::uint64_t table_bytes = 0;       // of the current version
  std::uint64_t versions_total = 0;    // made by writes
  std::uint64_t versions_waiting = 0;  // replaced, but being read when last looked at
};

template <class Key, class Value, class Hash = DefaultHash<Key>, class Equal = std::equal_to<Key>,
          class Allocator = std::allocator<std::pair<const Key, Value>>>
class SnapshotMap {
  static_assert(std::copy_constructible<Key> && std::copy_constructible<Value>,
                "a SnapshotMap copies its entries");
  using Map = maps::internal::FlatMap<Key, Value, Hash, Equal, Allocator>;
  using Op = MapOperation;

  // Referred to by the map while it is current or waits for readers, and by its Snapshots.
  struct Version final : maps::internal::Node {
    explicit Version(Map m) : map(std::move(m)) {}
    void let_go() noexcept override { release(); }
    [[nodiscard]] std::size_t bytes() const noexcept override { return map.stats().table_bytes; }
    void acquire() noexcept { references.fetch_add(1, std::memory_order_relaxed); }
    void release() noexcept {
      // release: this owner's reads are done; acquire: so are those of all others.
      if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

    std::atomic<std::uint64_t> references{1};
    Map map;
  };

 public:
  using key_type = Key;
  using mapped_type = Value;
  using hasher = Hash;
  using key_equal = Equal;
  using allocator_type = Allocator;
  using lookup_type = typename Map::lookup_type;
  using key_argument = typename Map::key_argument;  // one of several keys
  using GetOrInsertResult = vigil::GetOrInsertResult<Value>;

  // One version of the map, immutable.
  class Snapshot {
   public:
    Snapshot(const Snapshot& other) noexcept : version_(other.version_) { version_->acquire(); }
    Snapshot& operator=(const Snapshot& other) noexcept {
      if (this == &other) return *this;
      other.version_->acquire();
      version_->release();
      version_ = other.version_;
      return *this;
    }
    ~Snapshot() { version_->release(); }

    [[nodiscard]] std::optional<Value> get(lookup_type key) const { return map().get(key); }
    template <class Visitor>
    bool visit(lookup_type key, Visitor&& visitor) const {
      return map().visit(key, visitor);
    }
    [[nodiscard]] bool contains(lookup_type key) const { return map().contains(key); }
    // Calls visitor(lookup_type, const Value&) until it returns false, if it returns anything.
    template <class Visitor>
    void for_each(Visitor&& visitor) const {
      map().for_each(visitor);
    }
    [[nodiscard]] std::uint64_t size() const noexcept { return map().size(); }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }

   private:
    friend SnapshotMap;
    explicit Snapshot(Version& version) noexcept : version_(&version) { version_->acquire(); }
    [[nodiscard]] const Map& map() const noexcept { return version_->map; }

    Version* version_;
  };

  // What edit() changes: the next version, which nobody else sees yet. Its members are those of the
  // map. Lives and may be used only during the call of edit() and by its thread.
  class Draft {
   public:
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;

    [[nodiscard]] std::optional<Value> get(lookup_type key) const { return map_.get(key); }
    template <class Visitor>
    bool visit(lookup_type key, Visitor&& visitor) const {
      return std::as_const(map_).visit(key, visitor);
    }
    [[nodiscard]] bool contains(lookup_type key) const { return map_.contains(key); }
    template <class V = Value>
    bool insert(lookup_type key, V&& value) {
      return map_.insert(key, std::forward<V>(value));
    }
    template <class V = Value>
    bool insert_or_assign(lookup_type key, V&& value) {
      return map_.insert_or_assign(key, std::forward<V>(value));
    }
    GetOrInsertResult get_or_insert(lookup_type key, const Value& value) {
      return map_.get_or_insert(key, value);
    }
    template <class V = Value>
    std::optional<Value> exchange(lookup_type key, V&& value) {
      return map_.exchange(key, std::forward<V>(value));
    }
    template <class V = Value>
    bool compare_exchange(lookup_type key, const Value& expected, V&& desired) {
      return map_.compare_exchange(key, expected, std::forward<V>(desired));
    }
    template <class Change>
    bool update(lookup_type key, Change&& change) {
      return map_.update(key, change);
    }
    template <class... Args>
    bool try_emplace(lookup_type key, Args&&... args) {
      return map_.try_emplace(map_.probe(key), std::forward<Args>(args)...);
    }
    template <class Make>
    GetOrInsertResult get_or_compute(lookup_type key, Make&& make) {
      return map_.get_or_compute(map_.probe(key), make);
    }
    template <class OnMissing, class OnPresent>
    bool upsert(lookup_type key, OnMissing&& on_missing, OnPresent&& on_present) {
      return map_.upsert(map_.probe(key), on_missing, on_present);
    }
    template <class Compute>
    bool compute(lookup_type key, Compute&& compute) {
      return map_.compute(map_.probe(key), compute);
    }
    template <class Predicate, class Change>
    bool update_if(lookup_type key, Predicate&& predicate, Change&& change) {
      return map_.update_if(map_.probe(key), predicate, change);
    }
    template <class Change>
    std::uint64_t update_all(Change&& change) {
      return map_.update_all(change);
    }
    template <class Change>
    auto with_keys(std::span<const key_argument> keys, Change&& change) {
      return map_.with_keys(keys, change);
    }
    template <class Change>
    auto with_keys(std::initializer_list<key_argument> keys, Change&& change) {
      return with_keys(std::span<const key_argument>(keys.begin(), keys.size()), change);
    }
    bool erase(lookup_type key) { return map_.erase(key); }
    std::optional<Value> take(lookup_type key) { return map_.take(key); }
    bool compare_erase(lookup_type key, const Value& expected) {
      return map_.erase_if(key, is(expected));
    }
    template <class Predicate>
    bool erase_if(lookup_type key, Predicate&& predicate) {
      return map_.erase_if(key, predicate);
    }

    template <class Visitor>
    void for_each(Visitor&& visitor) const {
      std::as_const(map_).for_each(visitor);
    }
    template <class Predicate>
    std::uint64_t erase_if(Predicate&& predicate) {
      return map_.erase_if(predicate);
    }
    void clear() noexcept { map_.clear(); }
    void reserve(std::uint64_t entries) { map_.reserve(entries); }
    void shrink_to_fit() { map_.shrink_to_fit(); }
    [[nodiscard]] std::uint64_t size() const noexcept { return map_.size(); }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }

   private:
    friend SnapshotMap;
    explicit Draft(Map& map) noexcept : map_(map) {}

    Map& map_;
  };

  explicit SnapshotMap(Hash hash = Hash(), Equal equal = Equal(), const Allocator& allocator = {})
      : SnapshotMap(MapOptions(), std::move(hash), std::move(equal), allocator) {}
  explicit SnapshotMap(MapOptions options, Hash hash = Hash(), Equal equal = Equal(),
                       const Allocator& allocator = {})
      : current_(new Version(Map(std::move(hash), std::move(equal), allocator))),
        label_(this, std::move(options.name), map_type_name<"SnapshotMap", Key, Value>(),
               MapSharing::kConcurrent) {}
  // REQUIRES: no other thread uses the map.
  ~SnapshotMap() { current_.load(std::memory_order_acquire)->release(); }
  SnapshotMap(const SnapshotMap&) = delete;
  SnapshotMap& operator=(const SnapshotMap&) = delete;

  // --- Reads ---------------------------------------------------------------------------------

  // The current version, to keep.
  [[nodiscard]] Snapshot snapshot() const {
    const Reading reading(*this);
    return Snapshot(reading.version());
  }
  // A copy of the value.
  [[nodiscard]] std::optional<Value> get(lookup_type key) const {
    const Reading reading(*this);
    return reading.map().get(key);
  }
  // Calls visitor(const Value&); returns whether there was an entry.
  template <class Visitor>
  bool visit(lookup_type key, Visitor&& visitor) const {
    const Reading reading(*this);
    const MapMark inside(label_, Op::kGet);
    return reading.map().visit(key, visitor);
  }
  [[nodiscard]] bool contains(lookup_type key) const {
    const Reading reading(*this);
    return reading.map().contains(key);
  }

  // --- Writes --------------------------------------------------------------------------------

  // Calls change(Draft&) with a copy of the map, which then becomes the map; returns what it
  // returned.
  template <class Change>
  std::invoke_result_t<Change&, Draft&> edit(Change&& change) {
    maps::internal::Garbage garbage;  // destroyed when the lock is released
    const maps::internal::HeldMap mark(label_, Op::kEdit);
    const MutexLock lock(writers_);
    return write_next(garbage, [&change](Map& map) -> std::invoke_result_t<Change&, Draft&> {
      Draft draft(map);
      return change(draft);
    });
  }

  // Adds an entry if there is none; returns whether it did.
  template <class V = Value>
  bool insert(lookup_type key, V&& value) {
    return write(
        Op::kInsert, [&](const Map& map) { return !map.contains(key); },
        [&](Map& map) { return map.insert(key, std::forward<V>(value)); });
  }
  // Adds an entry or replaces its value; returns whether it added.
  template <class V = Value>
  bool insert_or_assign(lookup_type key, V&& value) {
    return write(
        Op::kInsertOrAssign, [](const Map&) { return true; },
        [&](Map& map) { return map.insert_or_assign(key, std::forward<V>(value)); });
  }
  // The value of the entry; adds it first if there is none.
  GetOrInsertResult get_or_insert(lookup_type key, const Value& value) {
    std::optional<Value> present;
    const bool inserted = write(
        Op::kGetOrInsert,
        [&](const Map& map) {
          present = map.get(key);
          return !present.has_value();
        },
        [&](Map& map) {
          present.emplace(value);
          return map.insert(key, value);
        });
    return {std::move(*present), inserted};
  }
  // Adds an entry with a Value(args...) if there is none; returns whether it did.
  template <class... Args>
  bool try_emplace(lookup_type key, Args&&... args) {
    return write(
        Op::kInsert, [&](const Map& map) { return !map.contains(key); },
        [&](Map& map) { return map.try_emplace(map.probe(key), std::forward<Args>(args)...); });
  }
  // The value of the entry; adds make() first if there is none. make runs once per entry added.
  template <class Make>
  GetOrInsertResult get_or_compute(lookup_type key, Make&& make) {
    std::optional<Value> present;
    const bool inserted = write(
        Op::kGetOrInsert,
        [&](const Map& map) {
          present = map.get(key);
          return !present.has_value();
        },
        [&](Map& map) {
          present.emplace(make());
          return map.insert(key, *present);
        });
    return {std::move(*present), inserted};
  }
  // Adds on_missing() if there is no entry, else calls on_present(Value&); returns whether it
  // added.
  template <class OnMissing, class OnPresent>
  bool upsert(lookup_type key, OnMissing&& on_missing, OnPresent&& on_present) {
    return write(
        Op::kUpdate, [](const Map&) { return true; },
        [&](Map& map) { return map.upsert(map.probe(key), on_missing, on_present); });
  }
  // Calls compute(std::optional<Value>&); what it leaves there becomes the entry, nothing means
  // none. Returns whether there is one.
  template <class Compute>
  bool compute(lookup_type key, Compute&& compute) {
    return write(
        Op::kUpdate, [](const Map&) { return true; },
        [&](Map& map) { return map.compute(map.probe(key), compute); });
  }
  // Calls change(MapValues<Value>&) with the values of all keys (map_values.h); what it leaves
  // there becomes the entries. Returns what it returned.
  template <class Change>
  auto with_keys(std::span<const key_argument> keys, Change&& change) {
    return edit([&](Draft& draft) { return draft.with_keys(keys, change); });
  }
  template <class Change>
  auto with_keys(std::initializer_list<key_argument> keys, Change&& change) {
    return with_keys(std::span<const key_argument>(keys.begin(), keys.size()), change);
  }
  // Stores the value; returns the one that was there.
  template <class V = Value>
  std::optional<Value> exchange(lookup_type key, V&& value) {
    return write(
        Op::kExchange, [](const Map&) { return true; },
        [&](Map& map) { return map.exchange(key, std::forward<V>(value)); });
  }
  // Replaces a value that equals `expected`; returns whether it did.
  template <class V = Value>
  bool compare_exchange(lookup_type key, const Value& expected, V&& desired) {
    return write(
        Op::kCompareExchange, [&](const Map& map) { return has(map, key, is(expected)); },
        [&](Map& map) {
          map.insert_or_assign(key, std::forward<V>(desired));
          return true;
        });
  }
  // Calls change(Value&); returns whether there was an entry.
  template <class Change>
  bool update(lookup_type key, Change&& change) {
    return write(
        Op::kUpdate, [&](const Map& map) { return map.contains(key); },
        [&](Map& map) { return map.update(key, change); });
  }
  // Calls change(Value&) if predicate(const Value&), in one step; returns whether it did.
  template <class Predicate, class Change>
  bool update_if(lookup_type key, Predicate&& predicate, Change&& change) {
    return write(
        Op::kUpdate, [&](const Map& map) { return has(map, key, predicate); },
        [&](Map& map) { return map.update(key, change); });
  }
  // Removes the entry; returns whether there was one.
  bool erase(lookup_type key) {
    return write(
        Op::kErase, [&](const Map& map) { return map.contains(key); },
        [&](Map& map) { return map.erase(key); });
  }
  // Removes the entry and returns its value.
  std::optional<Value> take(lookup_type key) {
    return write(
        Op::kTake, [&](const Map& map) { return map.contains(key); },
        [&](Map& map) { return map.take(key); });
  }
  // Removes the entry if its value equals `expected`; returns whether it did.
  bool compare_erase(lookup_type key, const Value& expected) { return erase_if(key, is(expected)); }
  // Removes the entry if predicate(const Value&); returns whether it did.
  template <class Predicate>
  bool erase_if(lookup_type key, Predicate&& predicate) {
    return write(
        Op::kErase, [&](const Map& map) { return has(map, key, predicate); },
        [&](Map& map) { return map.erase(key); });
  }

  // --- Bulk ----------------------------------------------------------------------------------

  // Calls visitor(lookup_type, const Value&) for every entry of one version until it returns false;
  // one that returns nothing sees them all.
  template <class Visitor>
  void for_each(Visitor&& visitor) const {
    const Reading reading(*this);
    const MapMark inside(label_, Op::kIterate);
    reading.map().for_each(visitor);
  }
  // for_each() by the calling thread and up to `threads` - 1 others, which call the visitor at the
  // same time; ends when all have. What one of them throws ends it and is thrown here.
  template <class Visitor>
  void parallel_for_each(unsigned threads, Visitor&& visitor) const {
    const Reading reading(*this);
    maps::internal::run_parts(threads, [&](std::uint64_t part) {
      const MapMark inside(label_, Op::kIterate);
      return reading.map().for_each_of_part(part, maps::internal::kParts, visitor);
    });
  }
  // Calls change(key, Value&) for every entry, in one step for all; returns how many.
  template <class Change>
  std::uint64_t update_all(Change&& change) {
    return write(
        Op::kUpdate, [](const Map& map) { return map.size() != 0; },
        [&](Map& map) { return map.update_all(change); });
  }
  // Removes the entries for which predicate(key, const Value&); returns how many.
  template <class Predicate>
  std::uint64_t erase_if(Predicate&& predicate) {
    return write(
        Op::kErase, [](const Map& map) { return map.size() != 0; },
        [&](Map& map) { return map.erase_if(predicate); });
  }
  // Removes every entry.
  void clear() {
    write(
        Op::kClear, [](const Map& map) { return map.size() != 0; },
        [](Map& map) {
          map.clear();
          return true;
        });
  }
  // Destroys the replaced versions that nobody reads any more.
  void reclaim() {
    maps::internal::HeldMap::checked(label_);
    const maps::internal::Garbage garbage =
        reclaimer_.reclaim(true, [](const maps::internal::Retired&) {});
  }
  // Gives back the memory that the entries and the readers do not need. O(size).
  void shrink_to_fit() {
    write(
        Op::kReserve, [](const Map&) { return true; },
        [](Map& map) {
          map.shrink_to_fit();
          return true;
        });
  }
  // Makes room for `entries` in all until the next write, whose version is as large as it must be:
  // of use in edit(). Throws std::length_error if no memory could hold them.
  void reserve(std::uint64_t entries) {
    write(
        Op::kReserve, [](const Map&) { return true; },
        [&](Map& map) {
          map.reserve(entries);
          return true;
        });
  }

  // --- Statistics and debugging ----------------------------------------------------------------

  [[nodiscard]] std::uint64_t size() const noexcept {
    const Reading reading(*this);
    return reading.map().size();
  }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  // As dumps name the map.
  [[nodiscard]] const std::string& name() const noexcept { return label_.name(); }
  [[nodiscard]] SnapshotMapStats stats() const {
    const Reading reading(*this);
    const MapStats table = reading.map().stats();
    return {table.entries, table.slots, table.table_bytes,
            versions_total_.load(std::memory_order_relaxed), reclaimer_.kept()};
  }
  void check_invariants() const {
    const Reading reading(*this);
    reading.map().check_invariants();
  }

 private:
  // A read's use of the version that is current at its begin.
  class Reading {
   public:
    explicit Reading(const SnapshotMap& map) noexcept : guard_(map.reclaimer_.domain()) {
      do {
        version_ = &map.latest();
        guard_.template protect<0>(version_);
      } while (version_ != &map.latest());
    }
    [[nodiscard]] Version& version() const noexcept { return *version_; }
    [[nodiscard]] const Map& map() const noexcept { return version_->map; }

   private:
    table::HazardGuard<1> guard_;
    Version* version_;
  };

  // acquire: pairs with the release in publish(). Stays for the holder of the writers' mutex.
  [[nodiscard]] Version& latest() const noexcept {
    return *current_.load(std::memory_order_acquire);
  }
  static auto is(const Value& expected) {
    return [&expected](const Value& value) { return value == expected; };
  }
  template <class Predicate>
  static bool has(const Map& map, lookup_type key, Predicate&& predicate) {
    bool result = false;
    map.visit(key, [&](const Value& value) { result = predicate(value); });
    return result;
  }

  // Publishes a version changed by change(Map&) if wanted(const Map&) of the current one; returns
  // what change() returned, or an empty result.
  template <class Wanted, class Change>
  auto write(Op operation, Wanted&& wanted, Change&& change)
      -> std::invoke_result_t<Change&, Map&> {
    maps::internal::Garbage garbage;  // destroyed when the lock is released
    const maps::internal::HeldMap mark(label_, operation);
    const MutexLock lock(writers_);
    if (!wanted(std::as_const(latest().map))) return {};
    return write_next(garbage, change);
  }
  template <class Change>
  std::invoke_result_t<Change&, Map&> write_next(maps::internal::Garbage& garbage, Change&& change)
      VIGIL_REQUIRES(writers_) {
    using Result = std::invoke_result_t<Change&, Map&>;
    auto next = std::make_unique<Version>(latest().map);
    if constexpr (std::is_void_v<Result>) {
      change(next->map);
      garbage = publish(std::move(next));
    } else {
      Result result = change(next->map);
      garbage = publish(std::move(next));
      return result;
    }
  }

  // Makes `next` the current version; returns old versions that nobody can be reading.
  maps::internal::Garbage publish(std::unique_ptr<Version> next) VIGIL_REQUIRES(writers_) {
    Version& previous = latest();
    // release: pairs with latest(); readers see the version as it was built.
    current_.store(next.release(), std::memory_order_release);
    versions_total_.fetch_add(1, std::memory_order_relaxed);
    // Versions are large: reclaim at once.
    return reclaimer_.reclaim(true,
                              [&previous](maps::internal::Retired& to) { to.push(&previous); });
  }

  std::atomic<Version*> current_;
  mutable Mutex writers_;
  mutable maps::internal::Reclaimer reclaimer_{table::HazardDomain::process()};
  std::atomic<std::uint64_t> versions_total_{0};
  const MapLabel label_;
};

}  // namespace vigil
