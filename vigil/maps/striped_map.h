// SPDX-License-Identifier: Apache-2.0
//
// StripedMap: 64 hash maps, each behind a spin lock. docs/maps.md compares the maps of the family.
//
// Use when: entries are written about as often as read, by few threads at a time, and callbacks are
// short; when memory per entry counts. Use instead: ShardedMap where reads dominate or many
// threads compete (its readers take no lock, so that a thread that lost its core stops nobody), for
// deadlines, and where growth must not stall a caller; RwMap where an iteration must see one
// moment.
//
// Requirements: Key can be copied, and moved without an exception; Value can be moved; Hash takes
// std::string_view where Key is std::string, else const Key&, and returns an integer; Equal
// compares two of these. The compiler says so in a sentence (internal/requirements.h).
//
// Thread safety: every member but construction and destruction may be called from any thread.
//
// Consistency: operations on one key are linearizable. for_each, erase_if(predicate) and clear go
// from stripe to stripe; size and stats add the stripes up one after the other.
//
// Blocking: every operation, reads too, holds the spin lock of one stripe; for_each and
// erase_if(predicate) hold it while they walk through a 64th of the map, and so does a write that
// makes the stripe's table grow.
//
// Callbacks run while a stripe is locked: using the same map from them, or from Hash, Equal or a
// copy, would wait for ever and is stopped by VIGIL_CHECK. A reference must not leave the callback.
//   allowed:    map.update(a, [&](Value& v) { other.insert(b, v); });
//   forbidden:  map.update(a, [&](Value& v) { map.get(b); });      // stopped, with a message
//
// Complexity: O(1) expected; growth O(size / 64). Memory: internal/flat/flat_table.h, and 4 KiB.
//
// Exceptions: what copies, Hash, Equal and callbacks throw, and std::bad_alloc; the operation then
// has not happened (internal/flat/flat_map.h tells of update()).
//
// Algorithm: lock striping (Java's ConcurrentHashMap before version 8 is the best-known example),
// with one computation of the hash for stripe and table.
//
// Left out on purpose: iterators, moves, emplace (concurrent_map.h says why).
//
// Example:
//   vigil::StripedMap<int, int> stock({.name = "stock"});
//   assert(stock.insert_or_assign(17, 3));
//   assert(stock.update(17, [](int& left) { --left; }));
//   assert(stock.take(17) == 2);
//   assert(stock.empty());
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "vigil/base/check.h"
#include "vigil/base/spin_lock.h"
#include "vigil/maps/default_hash.h"
#include "vigil/maps/internal/flat/flat_map.h"
#include "vigil/maps/internal/parts.h"
#include "vigil/maps/internal/reentry.h"
#include "vigil/maps/internal/visitor.h"
#include "vigil/maps/map_options.h"
#include "vigil/stacks/map_mark.h"
#include "vigil/stacks/type_name.h"

namespace vigil {

using StripedMapStats = MapStats;

template <class Key, class Value, class Hash = DefaultHash<Key>, class Equal = std::equal_to<Key>,
          class Allocator = std::allocator<std::pair<const Key, Value>>>
class StripedMap {
  using Map = maps::internal::FlatMap<Key, Value, Hash, Equal, Allocator>;
  using Probe = typename Map::Probe;

  using Held = maps::internal::HeldMap;
  using Mark = std::conditional_t<Map::kRunsNoUserCode, maps::internal::UnheldMap, Held>;
  using Op = MapOperation;

 public:
  using key_type = Key;
  using mapped_type = Value;
  using hasher = Hash;
  using key_equal = Equal;
  using allocator_type = Allocator;
  using lookup_type = typename Map::lookup_type;
  using key_argument = typename Map::key_argument;  // one of several keys
  using GetOrInsertResult = typename Map::GetOrInsertResult;

  explicit StripedMap(Hash hash = Hash(), Equal equal = Equal(), const Allocator& allocator = {})
      : StripedMap(MapOptions(), std::move(hash), std::move(equal), allocator) {}
  explicit StripedMap(MapOptions options, Hash hash = Hash(), Equal equal = Equal(),
                      const Allocator& allocator = {})
      : StripedMap(std::make_index_sequence<kStripes>(), std::move(options), std::move(hash),
                   std::move(equal), allocator) {}
  StripedMap(const StripedMap&) = delete;
  StripedMap& operator=(const StripedMap&) = delete;

  // --- Reads ---------------------------------------------------------------------------------

  // A copy of the value.
  [[nodiscard]] std::optional<Value> get(
      lookup_type key) const requires std::copy_constructible<Value> {
    const Access<Mark> stripe(*this, key, Op::kGet);
    return stripe.map().get(stripe.probe());
  }
  // Calls visitor(const Value&); returns whether there was an entry.
  template <class Visitor>
  bool visit(lookup_type key, Visitor&& visitor) const {
    const Access<Held> stripe(*this, key, Op::kGet);
    return stripe.map().visit(stripe.probe(), visitor);
  }
  [[nodiscard]] bool contains(lookup_type key) const {
    const Access<Mark> stripe(*this, key, Op::kGet);
    return stripe.map().contains(stripe.probe());
  }

  // --- Writes --------------------------------------------------------------------------------

  // Adds an entry if there is none; returns whether it did.
  template <class V = Value>
  bool insert(lookup_type key, V&& value) {
    const Access<Mark> stripe(*this, key, Op::kInsert);
    return stripe.map().insert(stripe.probe(), std::forward<V>(value));
  }
  // Adds an entry or replaces its value; returns whether it added.
  template <class V = Value>
  bool insert_or_assign(lookup_type key, V&& value) {
    const Access<Mark> stripe(*this, key, Op::kInsertOrAssign);
    return stripe.map().insert_or_assign(stripe.probe(), std::forward<V>(value));
  }
  // The value of the entry; adds it first if there is none.
  GetOrInsertResult get_or_insert(lookup_type key, const Value& value) {
    const Access<Mark> stripe(*this, key, Op::kGetOrInsert);
    return stripe.map().get_or_insert(stripe.probe(), value);
  }
  // Adds an entry with a Value(args...) if there is none; returns whether it did.
  template <class... Args>
  bool try_emplace(lookup_type key, Args&&... args) {
    const Access<Held> stripe(*this, key, Op::kInsert);
    return stripe.map().try_emplace(stripe.probe(), std::forward<Args>(args)...);
  }
  // The value of the entry; adds make() first if there is none. make runs once per entry added.
  template <class Make>
  GetOrInsertResult get_or_compute(lookup_type key, Make&& make) {
    const Access<Held> stripe(*this, key, Op::kGetOrInsert);
    return stripe.map().get_or_compute(stripe.probe(), make);
  }
  // Adds on_missing() if there is no entry, else calls on_present(Value&); returns whether it
  // added.
  template <class OnMissing, class OnPresent>
  bool upsert(lookup_type key, OnMissing&& on_missing, OnPresent&& on_present) {
    const Access<Held> stripe(*this, key, Op::kUpdate);
    return stripe.map().upsert(stripe.probe(), on_missing, on_present);
  }
  // Calls compute(std::optional<Value>&); what it leaves there becomes the entry, nothing means
  // none. Returns whether there is one.
  template <class Compute>
  bool compute(lookup_type key, Compute&& compute) {
    const Access<Held> stripe(*this, key, Op::kUpdate);
    return stripe.map().compute(stripe.probe(), compute);
  }
  // Calls change(MapValues<Value>&) with the values of all keys (map_values.h), their stripes
  // locked in ascending order; what it leaves there becomes the entries. Returns what it returned.
  // O(k log k) for k keys.
  template <class Change>
  auto with_keys(std::span<const key_argument> keys, Change&& change) {
    const Held mark(label_, Op::kUpdate);
    const auto several = maps::internal::several_keys<Probe>(keys, probing_);
    const SeveralStripes locked(*this, several);
    return maps::internal::change_several(
        several, [this](const Probe& probe) -> Map& { return stripe_of(probe).map; }, change);
  }
  template <class Change>
  auto with_keys(std::initializer_list<key_argument> keys, Change&& change) {
    return with_keys(std::span<const key_argument>(keys.begin(), keys.size()), change);
  }
  // Stores the value; returns the one that was there.
  template <class V = Value>
  std::optional<Value> exchange(lookup_type key, V&& value) {
    const Access<Mark> stripe(*this, key, Op::kExchange);
    return stripe.map().exchange(stripe.probe(), std::forward<V>(value));
  }
  // Replaces a value that equals `expected`; returns whether it did.
  template <class V = Value>
  bool compare_exchange(lookup_type key, const Value& expected, V&& desired) {
    const Access<Held> stripe(*this, key, Op::kCompareExchange);
    return stripe.map().compare_exchange(stripe.probe(), expected, std::forward<V>(desired));
  }
  // Calls change(Value&); returns whether there was an entry.
  template <class Change>
  bool update(lookup_type key, Change&& change) {
    const Access<Held> stripe(*this, key, Op::kUpdate);
    return stripe.map().update(stripe.probe(), change);
  }
  // Calls change(Value&) if predicate(const Value&), in one step; returns whether it did.
  template <class Predicate, class Change>
  bool update_if(lookup_type key, Predicate&& predicate, Change&& change) {
    const Access<Held> stripe(*this, key, Op::kUpdate);
    return stripe.map().update_if(stripe.probe(), predicate, change);
  }
  // Removes the entry; returns whether there was one.
  bool erase(lookup_type key) {
    const Access<Mark> stripe(*this, key, Op::kErase);
    return stripe.map().erase(stripe.probe());
  }
  // Removes the entry and returns its value.
  std::optional<Value> take(lookup_type key) {
    const Access<Mark> stripe(*this, key, Op::kTake);
    return stripe.map().take(stripe.probe());
  }
  // Removes the entry if its value equals `expected`; returns whether it did.
  bool compare_erase(lookup_type key, const Value& expected) {
    return erase_if(key, [&expected](const Value& value) { return value == expected; });
  }
  // Removes the entry if predicate(const Value&); returns whether it did.
  template <class Predicate>
  bool erase_if(lookup_type key, Predicate&& predicate) {
    const Access<Held> stripe(*this, key, Op::kErase);
    return stripe.map().erase_if(stripe.probe(), predicate);
  }

  // --- Bulk ----------------------------------------------------------------------------------

  // Calls visitor(lookup_type key, const Value&) for every entry until it returns false; one that
  // returns nothing sees them all.
  template <class Visitor>
  void for_each(Visitor&& visitor) const {
    bool goes_on = true;
    for_each_stripe(Op::kIterate, [&](const Map& map) {
      map.for_each([&](const auto& key, const Value& value) {
        return goes_on = maps::internal::visited_goes_on(visitor, key, value);
      });
      return goes_on;
    });
  }
  // for_each() by the calling thread and up to `threads` - 1 others, which call the visitor at the
  // same time; ends when all have. What one of them throws ends it and is thrown here.
  template <class Visitor>
  void parallel_for_each(unsigned threads, Visitor&& visitor) const {
    Held::checked(label_);  // other threads would wait for what this one holds
    maps::internal::run_parts(threads, [&](std::uint64_t part) {
      if (part >= kStripes) return false;
      const Held mark(label_, Op::kIterate);
      Stripe& stripe = (*stripes_)[part];
      const std::lock_guard guard(stripe.lock);
      return stripe.map.for_each_of_part(0, 1, visitor);
    });
  }
  // Calls change(key, Value&) for every entry, one stripe after the other; returns how many.
  template <class Change>
  std::uint64_t update_all(Change&& change) {
    std::uint64_t changed = 0;
    for_each_stripe(Op::kUpdate, [&](Map& map) {
      changed += map.update_all(change);
      return true;
    });
    return changed;
  }
  // Removes the entries for which predicate(key, const Value&); returns how many. If the predicate
  // throws, what was removed so far stays removed.
  template <class Predicate>
  std::uint64_t erase_if(Predicate&& predicate) {
    std::uint64_t erased = 0;
    for_each_stripe(Op::kErase, [&](Map& map) {
      erased += map.erase_if(predicate);
      return true;
    });
    return erased;
  }
  // Removes every entry and frees the tables.
  void clear() {
    for_each_stripe(Op::kClear, [](Map& map) {
      map.clear();
      return true;
    });
  }
  // Gives back the memory that the entries do not need. O(size).
  void shrink_to_fit() {
    for_each_stripe(Op::kReserve, [](Map& map) {
      map.shrink_to_fit();
      return true;
    });
  }
  // Makes room for `entries` in all, if the hash spreads them evenly. Throws std::length_error if
  // no memory could hold them.
  void reserve(std::uint64_t entries) {
    for_each_stripe(Op::kReserve, [entries](Map& map) {
      map.reserve(entries / kStripes + (entries % kStripes != 0 ? 1 : 0));
      return true;
    });
  }

  // --- Statistics and debugging ----------------------------------------------------------------

  [[nodiscard]] std::uint64_t size() const { return stats().entries; }
  [[nodiscard]] bool empty() const { return size() == 0; }
  // As dumps name the map.
  [[nodiscard]] const std::string& name() const noexcept { return label_.name(); }
  [[nodiscard]] StripedMapStats stats() const {
    StripedMapStats sum;
    for_each_stripe(Op::kGet, [&sum](const Map& map) {
      const StripedMapStats stats = map.stats();
      sum.entries += stats.entries;
      sum.slots += stats.slots;
      sum.table_bytes += stats.table_bytes;
      return true;
    });
    return sum;
  }
  void check_invariants() const {
    for_each_stripe(Op::kIterate, [this](const Map& map) {
      map.check_invariants();
      map.for_each([&](const auto& key, const Value&) {
        VIGIL_CHECK(&stripe_of(map.probe(key)).map == &map, "an entry lies in a foreign stripe");
      });
      return true;
    });
  }

 private:
  static constexpr std::size_t kStripes = 64;

  // A lock and its map share a line: the thread that takes the lock needs the map next.
  struct alignas(64) Stripe {
    Stripe(const Hash& hash, const Equal& equal, const Allocator& allocator)
        : map(hash, equal, allocator) {}

    SpinLock lock;
    Map map;
  };

  using Stripes = std::array<Stripe, kStripes>;

  // The stripe of a key, locked.
  template <class HeldOrUnheld>
  class Access {
   public:
    [[gnu::always_inline]] Access(const StripedMap& map, lookup_type key,
                                  Op operation) VIGIL_NO_THREAD_SAFETY_ANALYSIS
        : mark_(map.label_, operation),
          probe_(map.probing_, key),
          stripe_(map.stripe_of(probe_)) {
      if (!stripe_.lock.try_lock()) [[unlikely]]
        wait(map.label_, stripe_.lock, operation);
    }
    [[gnu::always_inline]] ~Access() VIGIL_NO_THREAD_SAFETY_ANALYSIS { stripe_.lock.unlock(); }
    Access(const Access&) = delete;
    Access& operator=(const Access&) = delete;

    [[nodiscard]] const Probe& probe() const noexcept { return probe_; }
    [[nodiscard]] Map& map() const noexcept { return stripe_.map; }

   private:
    [[gnu::cold, gnu::noinline]] static void wait(const MapLabel& label, SpinLock& lock,
                                                  Op operation) VIGIL_NO_THREAD_SAFETY_ANALYSIS {
      const MapMark waiting(label, operation);
      lock.lock();
    }

    [[no_unique_address]] HeldOrUnheld mark_;
    Probe probe_;
    Stripe& stripe_;
  };

  // The stripes of several keys, each locked once, in ascending order.
  class SeveralStripes {
   public:
    SeveralStripes(const StripedMap& map,
                   const maps::internal::SeveralKeys<Probe>& keys) VIGIL_NO_THREAD_SAFETY_ANALYSIS {
      locked_.reserve(keys.numbers.distinct());
      for (std::size_t n = 0; n < keys.numbers.distinct(); ++n) {
        Stripe& stripe = map.stripe_of(keys.distinct(n));
        if (!locked_.empty() && locked_.back() == &stripe) continue;
        stripe.lock.lock();
        locked_.push_back(&stripe);
      }
    }
    ~SeveralStripes() VIGIL_NO_THREAD_SAFETY_ANALYSIS {
      for (Stripe* const stripe : locked_) stripe->lock.unlock();
    }
    SeveralStripes(const SeveralStripes&) = delete;
    SeveralStripes& operator=(const SeveralStripes&) = delete;

   private:
    std::vector<Stripe*> locked_;
  };

  template <std::size_t... kIndex>
  StripedMap(std::index_sequence<kIndex...>, MapOptions options, Hash hash, Equal equal,
             const Allocator& allocator)
      : probing_(hash, equal),
        stripes_(new Stripes{(static_cast<void>(kIndex), Stripe(hash, equal, allocator))...}),
        label_(this, std::move(options.name), map_type_name<"StripedMap", Key, Value>(),
               MapSharing::kConcurrent) {}

  // By the highest bits of the hash, which tables do not use below 2^56 entries.
  [[nodiscard]] Stripe& stripe_of(const Probe& probe) const noexcept {
    return (*stripes_)[probe.hash() >> 58];
  }

  // Calls visit(Map&) with one locked stripe after the other until it returns false.
  template <class Visit>
  void for_each_stripe(Op operation, Visit&& visit) const {
    const Held mark(label_, operation);
    for (Stripe& stripe : *stripes_) {
      const std::lock_guard guard(stripe.lock);
      if (!visit(stripe.map)) return;
    }
  }

  // On a line that nobody writes.
  typename Map::Keys probing_;
  std::unique_ptr<Stripes> stripes_;
  const MapLabel label_;
};

}  // namespace vigil
